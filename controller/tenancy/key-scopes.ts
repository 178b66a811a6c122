/** What an API key may do. `read_only` ⊂ `operate` ⊂ `admin`; roles are expanded and frozen when a key is made. */
const reads = ['config:read', 'plans:read', 'receipts:read', 'events:read', 'keys:read'] as const
const operates = ['plans:approve', 'actions:write', 'operators:write', 'runs:write', 'secrets:write'] as const

export const keyRoles = {
  read_only: [...reads],
  ingest: ['events:write'],
  operate: [...reads, 'events:write', ...operates],
  admin: [...reads, 'events:write', ...operates, 'config:write', 'keys:write'],
} as const satisfies Record<string, readonly string[]>

export type KeyRole = keyof typeof keyRoles
export type Scope = (typeof keyRoles)['admin'][number]

export function isKeyRole(text: string): text is KeyRole {
  return Object.hasOwn(keyRoles, text)
}
