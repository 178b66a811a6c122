import type { Transaction } from './tenancy.ts'

export interface ServerFacts {
  readonly version: string
  /** As `server_version_num`: 180004 for 18.4. */
  readonly number: number
  /** Whether the login of this transaction escapes row security. */
  readonly bypasses: boolean
  readonly fsync: string
}

const selectServer = `
select current_setting('server_version') as version,
       current_setting('server_version_num')::int as number,
       (select rolbypassrls or rolsuper from pg_roles where rolname = current_user) as bypasses,
       current_setting('fsync') as fsync`

export async function readServer(tx: Transaction): Promise<ServerFacts> {
  const rows = await tx.query<ServerFacts>(selectServer)
  return rows[0]!
}
