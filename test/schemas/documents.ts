import type { Kind } from '../../schemas/index.ts'

/** The smallest valid spec of every kind, and the folder it lies in. */
export const minimal: {
  readonly [kind in Kind]: { readonly slug: string; readonly name?: string; readonly spec: object }
} = {
  Announcement: { slug: 'acme', spec: { title: 'Maintenance tonight' } },
  ApiKey: { slug: 'acme', spec: { user: 'jane', role: 'ingest' } },
  Asset: { slug: 'acme', spec: { type: 'python', python: { entry: { file: 'scripts/run.py' } } } },
  Connection: { slug: 'acme', spec: { connector: 'shop@1.0.0' } },
  Connector: {
    slug: '_platform',
    spec: { version: '1.0.0', auth: { kind: 'none' }, runtime: 'http', http: { baseUrl: 'https://example.com' } },
  },
  Deployment: { slug: '_platform', spec: {} },
  Gateway: { slug: 'acme', spec: { events: ['zone.*'] } },
  Grant: { slug: '_platform', spec: { to: { tenants: ['acme'] }, of: { kind: 'Skill', name: 'profile' } } },
  Menu: { slug: 'acme', spec: { title: 'Orders', page: 'orders' } },
  Model: {
    slug: '_platform',
    spec: { provider: 'bedrock', modelId: 'deepseek.v3.2', hosting: { country: 'US', region: 'us-east-1' } },
  },
  ModelPolicy: { slug: 'acme', spec: {} },
  Operator: {
    slug: 'acme',
    spec: {
      trigger: { on: ['order.created'] },
      reason: { model: { alias: 'reasoning', prompt: { file: 'prompts/risk.md' } } },
    },
  },
  Parameter: { slug: 'acme', spec: { value: 1 } },
  Reseller: { slug: '_platform', spec: {} },
  Role: { slug: 'acme', spec: { allow: [{ verbs: ['read'], kinds: ['*'] }] } },
  Schedule: { slug: 'acme', spec: { every: '15m', emit: { eventType: 'stock.check' } } },
  ServiceTier: { slug: '_platform', spec: {} },
  Skill: { slug: 'acme', spec: { capability: 'csv.profile' } },
  Table: { slug: 'acme', spec: { columns: { sku: { type: 'text' } }, primaryKey: ['sku'] } },
  Template: {
    slug: '_platform',
    spec: {
      version: '1.0.0',
      resources: [{ kind: 'Parameter', metadata: { name: 'vat' }, spec: { value: '${param.vat}' } }],
    },
  },
  TemplateInstall: { slug: 'acme', spec: { template: 'shop-basics@1.2.0' } },
  Tenant: { slug: 'acme', name: 'acme', spec: {} },
  TrustPolicy: { slug: 'acme', spec: { rules: [{ id: 'small', decision: 'ALLOW' }] } },
  User: { slug: 'acme', spec: {} },
  Webhook: { slug: 'acme', spec: { url: 'https://example.com/hook', events: ['plan.*'] } },
  Workspace: { slug: 'acme', spec: {} },
}

export function documentOf(kind: Kind, spec: unknown, name = 'some-name') {
  return { apiVersion: 'fibric.io/v1', kind, metadata: { name }, spec } as never
}
