/** A small repository that validates clean: a platform, a tenant with an operator and files, and its sandbox. */
export const sampleFiles: { readonly [path: string]: string } = {
  'fibric.yaml': `apiVersion: fibric.io/v1
kind: Deployment
metadata: {name: prod}
spec: {brakes: {maxDeletePercent: 30}}
`,
  'tenants/_platform/connectors/shop.yaml': `apiVersion: fibric.io/v1
kind: Connector
metadata: {name: shop}
spec:
  version: 1.0.0
  auth: {kind: none}
  runtime: http
  http: {baseUrl: "https://shop.example.com"}
  tools:
    order.read:
      effect: read
      input: {type: object, properties: {id: {type: string}}, required: [id], additionalProperties: false}
      output: {type: object, properties: {total: {type: number}}}
      http: {method: GET, path: "/orders/\${args.id}"}
    order.hold:
      tier: 2
      input: {type: object, properties: {id: {type: string}}, required: [id], additionalProperties: false}
      http: {method: POST, path: "/orders/\${args.id}/hold"}
  events:
    order.created:
      kind: webhook
      verify: {scheme: hmac-sha256, header: X-Signature, encoding: hex}
      idempotencyKey: "\${request.headers['x-id']}"
      payload: "\${request.body}"
      schema: {type: object, properties: {id: {type: string}}}
`,
  'tenants/_platform/roles.yaml': `apiVersion: fibric.io/v1
kind: Role
metadata: {name: approver}
spec: {allow: [{verbs: [approve], kinds: ["*"]}]}
`,
  'tenants/acme/tenant.yaml': `apiVersion: fibric.io/v1
kind: Tenant
metadata: {name: acme}
spec: {displayName: Acme, hosts: [acme.example.com], sandboxes: [acme-sandbox]}
`,
  'tenants/acme/shop.yaml': `apiVersion: fibric.io/v1
kind: Connection
metadata: {name: shop}
spec: {connector: shop@1.0.0, as: [orders]}
`,
  'tenants/acme/operators/order-risk.yaml': `apiVersion: fibric.io/v1
kind: Operator
metadata:
  name: order-risk
  labels: {team: ops}
spec:
  goal: Hold risky orders before they ship
  trigger: {on: [order.created]}
  capabilities: [order.read, order.hold]
  sense: [{as: order, capability: order.read, args: {id: "\${event.payload.id}"}}]
  reason:
    rules:
      - when: "order.total > 1000.0"
        propose: [{capability: order.hold, args: {id: "\${event.payload.id}"}}]
---
apiVersion: fibric.io/v1
kind: Operator
metadata: {name: reply, previously: answer}
spec:
  trigger: {ask: true}
  reason: {model: {alias: reasoning, prompt: {file: ../prompts/reply.md}}}
`,
  'tenants/acme/prompts/reply.md': 'Be brief.\n',
  'tenants/acme/policies.yaml': `apiVersion: fibric.io/v1
kind: TrustPolicy
metadata: {name: holds}
spec:
  rules:
    - {id: all, decision: ALERT, match: {capability: order.hold}, alert: {approvers: {role: approver}}}
`,
  'tenants/acme/nightly.yaml': `apiVersion: fibric.io/v1
kind: Schedule
metadata: {name: nightly}
spec: {cron: "0 3 * * *", timeZone: UTC, emit: {eventType: report.due}}
`,
  'tenants/acme-sandbox/tenant.yaml': `apiVersion: fibric.io/v1
kind: Tenant
metadata: {name: acme-sandbox}
spec: {environment: sandbox, sandboxOf: acme}
`,
  'tenants/acme-sandbox/shop.yaml': `apiVersion: fibric.io/v1
kind: Connection
metadata: {name: shop}
spec: {connector: shop@1.0.0, as: [orders], transport: sandbox}
`,
}
