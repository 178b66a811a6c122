import { createHash, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { FibricError } from '../domain/errors.ts'
import { platformTenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { isVerified, type RawRequest } from '../ingest/verify.ts'
import { fetchBranch } from '../reconciler/git/fetch.ts'
import { readCredential, readSecret } from '../tenancy/secrets.ts'
import { Changes } from './follow.ts'

export interface GitSourceOptions {
  readonly url: string
  readonly branch: string
  /** The configuration's folder inside the repository: `.` is its top. */
  readonly path: string
  /** A secret of `_platform`: `value` (or `password`) and perhaps `username` for HTTP, `webhook` for what wakes. */
  readonly credential: string | null
  /** How often to look where nobody calls. */
  readonly everyMs: number
  readonly onFailure: (error: unknown) => void
}

/** A branch of a git repository elsewhere, kept in a folder of this machine. */
export interface GitSource {
  /** The configuration's folder, once the first look succeeded. */
  readonly directory: string
  /** Resolves when the branch was fetched for the first time, or when `signal` aborts; failures are tried again. */
  begin(signal: AbortSignal): Promise<void>
  /** Yields after each look at the branch: soon after a push that was told of, and once in a while anyway. */
  wakeups(signal: AbortSignal): AsyncGenerator<void>
  /** Whether a request comes from the host of the repository; then the branch is looked at soon. */
  push(request: RawRequest): Promise<boolean>
}

export function gitSource(engine: Engine, options: GitSourceOptions): GitSource {
  const { url, branch, path, credential, everyMs, onFailure } = options
  const name = createHash('sha256').update(`${url}\n${branch}`).digest('hex').slice(0, 16)
  const clone = join(engine.config.dataDirectory, 'git', name)
  if (path.startsWith('/') || path.split('/').includes('..')) {
    throw new FibricError('USAGE', `path \`${path}\` leaves the repository`, { hint: 'name a folder inside of it' })
  }
  const pushed = new Changes()
  const look = async (): Promise<boolean> => {
    try {
      const authorization = await authorizationOf(engine, credential)
      await fetchBranch({ url, branch, directory: clone, authorization })
      return true
    } catch (error) {
      // The remote may be down for a while: what is applied stays, and is still kept as it was applied.
      onFailure(error)
      return false
    }
  }
  return {
    directory: join(clone, path),
    async begin(signal) {
      while (!signal.aborted && !(await look())) {
        await pushed.wait(everyMs, signal)
        pushed.forget()
      }
    },
    async *wakeups(signal) {
      while (!signal.aborted) {
        await pushed.wait(everyMs, signal)
        pushed.forget()
        if (signal.aborted) return
        await look()
        yield
      }
    },
    async push(request) {
      if (credential === null) return false
      const live = { versions: 2, now: engine.clock() } as const
      const secrets = await readSecret(engine.database, platformTenantId, credential, 'webhook', live)
      const values = secrets.map(({ value }) => value)
      const isKnown = isVerified({ scheme: 'github' }, request, values, engine.clock()) || hasToken(request, values)
      if (isKnown) pushed.note()
      return isKnown
    },
  }
}

/** What GitLab sends: the secret itself. */
function hasToken({ headers }: RawRequest, secrets: readonly Buffer[]): boolean {
  const token = headers['x-gitlab-token']
  if (token === undefined) return false
  const digest = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
  return secrets.map((secret) => timingSafeEqual(digest(secret), digest(Buffer.from(token)))).includes(true)
}

async function authorizationOf(engine: Engine, credential: string | null): Promise<string | null> {
  if (credential === null) return null
  const fields = await readCredential(engine.database, platformTenantId, credential)
  const password = (fields.get('value') ?? fields.get('password'))?.value.toString('utf8')
  if (password === undefined) {
    throw new FibricError('NOT_FOUND', `the secret \`${credential}\` of \`_platform\` has no \`value\``, {
      hint: `set it: fibric secrets set ${credential} --tenant _platform`,
    })
  }
  // Any name goes with a token; this one is GitHub's, and others take it.
  const username = fields.get('username')?.value.toString('utf8') ?? 'x-access-token'
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
}
