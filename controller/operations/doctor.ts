import { access, constants, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { sandboxHere } from '../connectors/sandbox.ts'
import { FibricError } from '../domain/errors.ts'
import { platformTenantId } from '../domain/ids.ts'
import { type Engine, openEngine } from '../engine.ts'
import { readDesired } from '../reconciler/desired.ts'
import { hasGitBinary } from '../reconciler/git/run-git.ts'
import { readServer } from '../store/server.ts'
import { rootKeyFileName } from '../tenancy/root-key.ts'

/** One thing that was tried, and what came of it. */
export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'failed'
  readonly message: string
  readonly hint: string | null
}

const nodeMajorMin = 24
const serverVersionMin = 150_000

/** Tries what a deployment on this machine needs; every check runs, whatever the ones before it said. */
export async function examine(config: Config, repository: string | null): Promise<Check[]> {
  return [
    checkNode(process.versions.node),
    await checkGit(),
    await checkRootKey(config),
    ...(await checkDatabase(config)),
    await checkSandbox(),
    ...(repository === null ? [] : [await checkRepository(repository)]),
    warning('witness', 'checkpoints have no witness yet: a restored database would go unnoticed', null),
  ]
}

function checkNode(version: string): Check {
  const major = Number(version.split('.')[0])
  if (major >= nodeMajorMin) return ok('node', `Node ${version}`)
  return failed('node', `Node ${version} is older than ${nodeMajorMin}`, 'set FIBRIC_NODE to a newer one')
}

async function checkGit(): Promise<Check> {
  if (await hasGitBinary()) return ok('git', 'the git binary reads repositories')
  return warning('git', 'there is no git binary: the built-in client is slower on large repositories', 'install git')
}

async function checkSandbox(): Promise<Check> {
  const sandbox = await sandboxHere()
  if (sandbox.kind === 'none') {
    return warning('sandbox', `${sandbox.reason}: connectors that start a program wait`, sandbox.hint)
  }
  return ok('sandbox', `programs are confined by ${sandbox.kind}`)
}

async function checkRootKey(config: Config): Promise<Check> {
  if (config.rootKeyText !== null) return ok('root key', 'given by FIBRIC_ROOT_KEY')
  const path = join(config.dataDirectory, rootKeyFileName)
  try {
    await access(path, constants.R_OK)
    const { mode } = await stat(path)
    const open = (mode & 0o077) !== 0
    return open ? failed('root key', `\`${path}\` can be read by others`, `chmod 600 ${path}`) : ok('root key', path)
  } catch {
    return warning('root key', `\`${path}\` is not there`, 'it is made with the database: fibric migrate')
  }
}

async function checkDatabase(config: Config): Promise<Check[]> {
  try {
    const engine = await openEngine(config)
    try {
      return await examineServer(engine)
    } finally {
      await engine.close()
    }
  } catch (error) {
    if (!(error instanceof FibricError)) throw error
    return [failed('database', error.message, error.hint)]
  }
}

async function examineServer(engine: Engine): Promise<Check[]> {
  const facts = await engine.database.asTenant(platformTenantId, readServer, { access: 'read only' })
  const { version, number, bypasses, fsync } = facts
  const source = { url: 'FIBRIC_DATABASE_URL', embedded: 'embedded', system: 'of this machine' }[engine.database.source]
  return [
    number >= serverVersionMin
      ? ok('database', `PostgreSQL ${version} (${source}), at this version's schema`)
      : failed('database', `PostgreSQL ${version} is older than 15`, 'use a newer server'),
    bypasses
      ? failed('row security', 'the application login bypasses row security', 'run fibric migrate and use its logins')
      : ok('row security', 'the application logins are bound by it'),
    fsync === 'on'
      ? ok('durability', 'the server waits for the disk')
      : failed('durability', 'fsync is off: a crash loses what was acknowledged', 'set fsync = on'),
  ]
}

async function checkRepository(repository: string): Promise<Check> {
  const { repository: loaded } = await readDesired(repository, {
    ref: null,
    cacheDirectory: null,
    appliedPaths: new Set(),
  })
  const errors = loaded.diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length
  if (errors > 0) return failed('repository', `${errors} errors in \`${repository}\``, 'see them with: fibric validate')
  return ok('repository', `${loaded.resources.length} resources in \`${repository}\``)
}

function ok(name: string, message: string): Check {
  return { name, status: 'ok', message, hint: null }
}

function warning(name: string, message: string, hint: string | null): Check {
  return { name, status: 'warning', message, hint }
}

function failed(name: string, message: string, hint: string | null): Check {
  return { name, status: 'failed', message, hint }
}
