import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../domain/errors.ts'
import { sqlStateOf } from './database-error.ts'
import type { Connection, ConnectionTarget } from './pool.ts'

/**
 * Two layers, because roles belong to a whole cluster and a cluster may serve several deployments:
 *
 * `fibric_app` and `fibric_worker` are what policies and grants name. They cannot log in.
 * `fibric_app_<deployment>` and `fibric_worker_<deployment>` log in as members of them. Their names and passwords
 * follow from the deployment's root key, so deployments with different keys neither share nor overwrite a password,
 * and databases under one key (tests) share logins that are already right. Only the own deployment's logins may use the
 * schema `fibric` of a database: another deployment's login is a member of the same roles, and still finds it closed.
 */
export const applicationRoles = ['fibric_app', 'fibric_worker'] as const
export type ApplicationRole = (typeof applicationRoles)[number]

export interface Login {
  readonly role: ApplicationRole
  readonly user: string
  /** Null for a login that was given, not derived: somebody else made it. */
  readonly password: string | null
}

export interface SecretSource {
  deriveSecret(purpose: string): Buffer
}

export function derivedLogins(secrets: SecretSource): Login[] {
  const deployment = secrets.deriveSecret('deployment name').subarray(0, 5).toString('hex')
  return applicationRoles.map((role) => ({
    role,
    user: `${role}_${deployment}`,
    password: secrets.deriveSecret(`database login ${role}`).toString('base64url'),
  }))
}

export function targetFor(login: Login, owner: ConnectionTarget): ConnectionTarget {
  return { ...owner, user: login.user, password: login.password }
}

/** Makes the roles that policies name. Safe beside others doing the same in other databases of the cluster. */
export async function ensureApplicationRoles(connection: Connection): Promise<void> {
  for (const role of applicationRoles) {
    await unlessPresent(connection, role, `create role ${role} nologin nosuperuser nobypassrls`)
  }
}

/** Makes the logins, their memberships, and their way into this database; anyone else's way in is closed. */
export async function ensureLogins(connection: Connection, logins: readonly Login[]): Promise<void> {
  for (const login of logins) {
    if (login.password !== null) {
      const attributes = 'login nosuperuser nobypassrls nocreatedb nocreaterole inherit'
      const password = `password '${scramVerifier(login.password)}'`
      await unlessPresent(connection, login.user, `create role ${quoted(login.user)} ${attributes} ${password}`)
    }
    if (!(await isMember(connection, login))) await grantMembership(connection, login)
  }
  await connection.simple(`revoke all on schema fibric from public, ${applicationRoles.join(', ')}`)
  await connection.simple(`grant usage on schema fibric to ${logins.map(({ user }) => quoted(user)).join(', ')}`)
}

/** Puts the derived password back where somebody changed it. */
export async function resetPassword(connection: Connection, login: Login): Promise<void> {
  await repeated(() =>
    connection.simple(`alter role ${quoted(login.user)} login password '${scramVerifier(login.password ?? '')}'`),
  )
}

/** What a login must not be: with any of these, the row policies would not bind it. */
export async function refuseUnboundLogin(connection: Connection, login: Login): Promise<void> {
  const { rows } = await connection.prepared<{ unbound: boolean; owns: boolean }>(loginFacts, [])
  const facts = rows[0]!
  if (!facts.unbound && !facts.owns) return
  const reason = facts.unbound ? 'is a superuser or bypasses row security' : 'owns the schema `fibric`'
  throw new FibricError('INVALID_CONFIGURATION', `the application login \`${login.user}\` ${reason}`, {
    hint: 'give FIBRIC_DATABASE_APP_URL a login that is neither, and owns nothing',
  })
}

const loginFacts = `
  select r.rolsuper or r.rolbypassrls as unbound,
         exists (select from pg_catalog.pg_namespace n
                  where n.nspname = 'fibric' and pg_has_role(r.oid, n.nspowner, 'member')) as owns
    from pg_catalog.pg_roles r
   where r.rolname = current_user`

async function unlessPresent(connection: Connection, role: string, create: string): Promise<void> {
  const { rowCount } = await connection.prepared('select from pg_catalog.pg_roles where rolname = $1', [role])
  if (rowCount === 1) return
  try {
    await connection.simple(create)
  } catch (error) {
    // Advisory locks are a database's own, so another database's migration may be making the same role right now.
    if (!alreadyThere.has(sqlStateOf(error))) throw forbiddenOr(error)
  }
}

const alreadyThere = new Set(['42710', '23505'])

async function isMember(connection: Connection, login: Login): Promise<boolean> {
  const { rowCount } = await connection.prepared(
    `select from pg_catalog.pg_auth_members m
       join pg_catalog.pg_roles g on g.oid = m.roleid
       join pg_catalog.pg_roles u on u.oid = m.member
      where g.rolname = $1 and u.rolname = $2`,
    [login.role, login.user],
  )
  return rowCount > 0
}

async function grantMembership(connection: Connection, login: Login): Promise<void> {
  try {
    await repeated(() => connection.simple(`grant ${login.role} to ${quoted(login.user)}`))
  } catch (error) {
    throw forbiddenOr(error)
  }
}

/** Two sessions that change one role's row at once: one gets `tuple concurrently updated` and only has to repeat. */
async function repeated(change: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await change()
      return
    } catch (error) {
      const state = sqlStateOf(error)
      if (attempt === 10 || (state !== 'XX000' && state !== '23505')) throw error
      await sleep(attempt * 5)
    }
  }
}

function forbiddenOr(error: unknown): unknown {
  if (sqlStateOf(error) !== '42501') return error
  return new FibricError('MIGRATION_FORBIDDEN', 'the owner may not create the application logins', {
    hint:
      'as an administrator run: create role fibric_app nologin; create role fibric_worker nologin; create role ' +
      "fibric_login login password '…'; grant fibric_app, fibric_worker to fibric_login; " +
      'then set FIBRIC_DATABASE_APP_URL to that login',
    cause: error,
  })
}

/**
 * What PostgreSQL keeps of a password (RFC 5803), made here, so that the password itself never stands in a statement
 * that a server may log.
 */
function scramVerifier(password: string): string {
  const iterations = 4096
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const keyed = (label: string) => createHmac('sha256', salted).update(label).digest()
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${keyed('Server Key').toString('base64')}`
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}
