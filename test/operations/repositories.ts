import type { Files } from '../support/engine.ts'

/** One document as YAML; `spec` and what else stands under `metadata` are YAML too. */
export function doc(kind: string, name: string, spec: string, metadata = ''): string {
  const more = metadata === '' ? '' : `, ${metadata}`
  return `apiVersion: fibric.io/v1\nkind: ${kind}\nmetadata: {name: ${name}${more}}\nspec: ${spec}\n`
}

export function docs(...documents: readonly string[]): string {
  return documents.join('---\n')
}

export const parameter = (name: string, value: string | number, metadata = ''): string =>
  doc('Parameter', name, `{value: ${value}}`, metadata)

/** A Role is what widens and narrows most plainly: each verb more grants more. */
export const role = (name: string, verbs = 'read'): string =>
  doc('Role', name, `{allow: [{verbs: [${verbs}], kinds: ["*"]}]}`)

export const user = (name: string, roles = 'admin', more = ''): string =>
  doc('User', name, `{displayName: ${name}, emails: [${name}@example.com], roles: [${roles}]${more}}`)

export const tenant = (slug: string, more = ''): string =>
  doc('Tenant', slug, `{displayName: ${slug}, deletionProtection: false${more}}`)

/** Rules as a list of flow mappings. */
export const policy = (name: string, ...rules: readonly string[]): string =>
  doc('TrustPolicy', name, `\n  rules:\n${rules.map((rule) => `    - ${rule}\n`).join('')}`.trimEnd())

export const allowAll = '{id: everything, match: {capability: "config.**"}, decision: ALLOW}'

/** Narrowing and neutral changes go through; what widens waits for two of the role `admin`. */
export const heldWidening = [
  '{id: narrower, match: {capability: "config.**", change: narrows}, decision: ALLOW}',
  '{id: neutral, match: {capability: "config.**", change: neutral}, decision: ALLOW}',
  '{id: behaviour, match: {capability: "config.**", change: behaviour}, decision: ALLOW}',
  '{id: wider, match: {capability: "config.**", change: widens}, decision: ALERT, alert: {mode: hold, approvers: {role: admin, quorum: 2}, separateFrom: [proposer, author]}}',
]

/** A platform where whoever may apply may change everything, and one tenant. */
export const open: Files = {
  'tenants/_platform/policy.yaml': policy('config', allowAll),
  'tenants/acme/tenant.yaml': tenant('acme'),
}

export const people = docs(
  role('admin', 'read, write, approve'),
  ...['ana', 'ben', 'cleo', 'dora'].map((name) => user(name)),
)

/** A platform whose widening changes two administrators approve, and one tenant. */
export const governed: Files = {
  'tenants/_platform/people.yaml': people,
  'tenants/_platform/policy.yaml': policy('config', ...heldWidening),
  'tenants/acme/tenant.yaml': tenant('acme'),
}
