/** Repositories as files by path. Small, and of several domains: every kind of write that an application makes occurs. */
export type Files = { readonly [path: string]: string }

/**
 * What genesis brings: three administrators, rules that hold roles for two of them and refuse one object, two tenants,
 * and a document with a file of its own.
 */
export const first: Files = {
  'fibric.yaml': document('Deployment', 'main', 'brakes: {maxDeletePercent: 100, minObjects: 100}'),
  'tenants/_platform/people.yaml': [
    document('Role', 'admin', 'allow: [{verbs: [read, write, operate, approve], kinds: ["*"]}]'),
    ...['ana', 'ben', 'cleo'].map((name) =>
      document('User', name, `emails: [${name}@example.com]\n  roles: [admin]\n  superAdmin: true`),
    ),
  ].join('---\n'),
  'tenants/_platform/rules.yaml': document(
    'TrustPolicy',
    'configuration',
    `rules:
    - {id: anything, match: {capability: "config.**"}, decision: ALLOW}
    - {id: frozen, match: {capability: "config.**", entity: "acme/Parameter/frozen"}, decision: BLOCK}
    - id: roles
      match: {capability: "config.role.*"}
      decision: ALERT
      alert: {mode: hold, approvers: {role: admin, quorum: 2}, separateFrom: [proposer, author]}`,
  ),
  'tenants/_platform/tier.yaml': document('ServiceTier', 'standard', 'quotas: {concurrency: 5}'),
  'tenants/acme/tenant.yaml': tenant('acme'),
  'tenants/acme/parameters.yaml': ['colour', 'old-name', 'gone'].map((name) => parameter(name, 'one')).join('---\n'),
  'tenants/acme/asset.yaml': document('Asset', 'count', 'type: shell\n  shell: {entry: {file: count.sh}}'),
  'tenants/acme/count.sh': 'wc -l\n',
  'tenants/beta/tenant.yaml': tenant('beta'),
  'tenants/beta/parameters.yaml': parameter('size', 'small'),
}

/** A role, which two people have to agree to, and a user who waits for it. */
const people = [
  document('Role', 'clerk', 'allow: [{verbs: [read], kinds: [Parameter]}]'),
  document('User', 'dora', 'emails: [dora@example.com]\n  roles: [clerk]'),
].join('---\n')

/** All at once: an update, a rename that edits, a deletion, a tenant more and one less, a change refused and one held. */
export const second: Files = {
  ...without(first, 'tenants/beta/'),
  'tenants/_platform/tier.yaml': document('ServiceTier', 'standard', 'quotas: {concurrency: 4}'),
  'tenants/acme/parameters.yaml': [
    parameter('colour', 'two'),
    document('Parameter', 'new-name', 'value: two', 'previously: old-name'),
    parameter('frozen', 'never'),
  ].join('---\n'),
  'tenants/acme/people.yaml': people,
  'tenants/gamma/tenant.yaml': tenant('gamma'),
  'tenants/gamma/parameters.yaml': parameter('size', 'large'),
}

/** One change that is held, and another that waits for it. */
export const third: Files = { ...first, 'tenants/acme/people.yaml': people }

function document(kind: string, name: string, spec: string, more = ''): string {
  const metadata = more === '' ? `  name: ${name}` : `  name: ${name}\n  ${more}`
  return `apiVersion: fibric.io/v1\nkind: ${kind}\nmetadata:\n${metadata}\nspec:\n  ${spec}\n`
}

function tenant(slug: string): string {
  return document('Tenant', slug, 'tier: standard\n  deletionProtection: false')
}

function parameter(name: string, value: string): string {
  return document('Parameter', name, `value: ${value}`)
}

function without(files: Files, folder: string): Files {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith(folder)))
}
