/**
 * The documents of a new repository, by path: small enough to be read in five minutes, and complete enough to show every
 * step from an event to a governed action. They validate without a warning and apply as they stand.
 */
export function documents(deployment: string): ReadonlyMap<string, string> {
  return new Map([
    ['fibric.yaml', fibricYaml(deployment)],
    ['tenants/_platform/policies/configuration.yaml', configurationPolicy],
    ['tenants/_platform/tiers/standard.yaml', standardTier],
    ['tenants/_platform/connectors/shop.yaml', shopConnector],
    ['tenants/example/tenant.yaml', exampleTenant],
    ['tenants/example/connections/shop.yaml', shopConnection],
    ['tenants/example/operators/order-risk.yaml', orderRiskOperator],
    ['tenants/example/policies/orders.yaml', ordersPolicy],
  ])
}

const fibricYaml = (deployment: string) => `# yaml-language-server: $schema=.fibric/schemas/Deployment.json
#
# The deployment itself: how careful the engine is about changing what lies below \`tenants/\`.
# Every field and its default: fibric explain Deployment
apiVersion: fibric.io/v1
kind: Deployment
metadata:
  name: ${deployment}
spec:
  brakes:
    # A plan that deletes more than this share of a tenant asks for the exact count first.
    maxDeletePercent: 25
    minObjects: 8
  approvals:
    expiresIn: 72h
`

const configurationPolicy = `# yaml-language-server: $schema=../../../.fibric/schemas/TrustPolicy.json
#
# Who may change this configuration. What no rule lets through is blocked, and the rules that judge a change are those in
# force before it.
apiVersion: fibric.io/v1
kind: TrustPolicy
metadata:
  name: configuration
spec:
  # People who run \`fibric apply\`, and the controller that follows a repository. No operator.
  appliesTo:
    proposers: [person, reconciler]
  rules:
    # Whoever may apply may change everything: good for a start, and for one person.
    - id: configure
      match: {capability: "config.**", connection: fibric}
      decision: ALLOW
    # With Users who hold a role, new authority can wait for a second one:
    #
    # - id: widening-asks-one
    #   match: {capability: "config.**", connection: fibric, change: widens}
    #   decision: ALERT
    #   alert:
    #     mode: hold
    #     approvers: {role: admin, quorum: 1}
    #     separateFrom: [proposer, author]
`

const standardTier = `# yaml-language-server: $schema=../../../.fibric/schemas/ServiceTier.json
#
# What a tenant may use. A quota that is absent is no limit.
apiVersion: fibric.io/v1
kind: ServiceTier
metadata:
  name: standard
spec:
  quotas:
    eventsPerMinute: 600
    actionsPerMinute: 300
    concurrency: 16
`

const shopConnector = `# yaml-language-server: $schema=../../../.fibric/schemas/Connector.json
#
# What a shop can be asked, as data: no code, no credentials, no tenant. A version never changes once it is applied; an
# improvement is 1.1.0 beside it.
apiVersion: fibric.io/v1
kind: Connector
metadata:
  name: shop
spec:
  version: 1.0.0
  category: commerce
  auth: {kind: api_key, in: header, name: X-Api-Key}
  runtime: http
  http:
    baseUrl: "https://\${config.shop}.example.com/api"
  config:
    type: object
    properties:
      shop: {type: string, pattern: "^[a-z0-9-]{1,40}$"}
    required: [shop]
    additionalProperties: false
  tools:
    order.read:
      description: One order with its risk score
      effect: read
      input:
        type: object
        properties: {order_id: {type: string, maxLength: 64}}
        required: [order_id]
        additionalProperties: false
      output:
        type: object
        properties:
          order_id: {type: string}
          total: {type: number}
          risk_score: {type: integer}
        required: [order_id, total, risk_score]
      http: {method: GET, path: "/orders/\${args.order_id}"}
    order.hold:
      description: Put an order on hold, so that it is not shipped
      tier: 1
      # The shop answers a second request with the same key as it answered the first.
      effect: keyed
      entityKey: "order:\${args.order_id}"
      input:
        type: object
        properties: {order_id: {type: string, maxLength: 64}}
        required: [order_id]
        additionalProperties: false
      http: {method: POST, path: "/orders/\${args.order_id}/hold", idempotencyHeader: Idempotency-Key}
  events:
    order.created:
      kind: webhook
      topic: orders-create
      verify: {scheme: hmac-sha256, header: X-Shop-Hmac-Sha256, encoding: base64}
      idempotencyKey: "\${request.headers['x-shop-delivery']}"
      payload: "\${request.body}"
      schema:
        type: object
        properties: {order_id: {type: string}}
        required: [order_id]
`

const exampleTenant = `# yaml-language-server: $schema=../../.fibric/schemas/Tenant.json
#
# The folder is the tenant: what lies below it belongs to \`example\` and can name nothing of another tenant.
apiVersion: fibric.io/v1
kind: Tenant
metadata:
  name: example
spec:
  displayName: Example
  tier: standard
  hosts: [example.fibric.localhost]
`

const shopConnection = `# yaml-language-server: $schema=../../../.fibric/schemas/Connection.json
#
# A connector installed for this tenant. The credential is a name; its value never lies in git.
apiVersion: fibric.io/v1
kind: Connection
metadata:
  name: shop
spec:
  connector: shop@1.0.0
  as: [orders]
  config: {shop: example}
  credential: shop
  egress: [example.example.com]
`

const orderRiskOperator = `# yaml-language-server: $schema=../../../.fibric/schemas/Operator.json
#
# Reads each new order and proposes to hold risky ones. Proposing is all it can do: the trust gate decides.
apiVersion: fibric.io/v1
kind: Operator
metadata:
  name: order-risk
spec:
  goal: Hold risky orders before they ship
  trigger:
    on: [order.created]
  capabilities: [order.read, order.hold]
  sense:
    - as: order
      capability: order.read
      args: {order_id: "\${event.payload.order_id}"}
  reason:
    rules:
      - when: "order.risk_score >= 80 && order.total > 1000"
        propose:
          - capability: order.hold
            args: {order_id: "\${order.order_id}"}
            key: hold
            within: 24h
`

const ordersPolicy = `# yaml-language-server: $schema=../../../.fibric/schemas/TrustPolicy.json
#
# What operators of this tenant may do.
apiVersion: fibric.io/v1
kind: TrustPolicy
metadata:
  name: orders
spec:
  appliesTo:
    operators: [order-risk]
  rules:
    - id: holds
      match: {capability: order.hold, connection: orders, entity: "order:*"}
      decision: ALLOW
      require:
        rate: {max: 20, per: 1h, by: tenant}
`
