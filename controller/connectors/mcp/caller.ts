import { slugOf } from '../../domain/address.ts'
import type { Address, Digest, TenantId } from '../../domain/ids.ts'
import { platformSlug } from '../../domain/ids.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { CredentialSource, ReadyCredential } from '../auth/credentials.ts'
import type { Footing } from '../binding.ts'
import { reach } from '../carrier.ts'
import type { ConnectorCatalog } from '../catalog.ts'
import type { EgressBroker } from '../egress/broker.ts'
import { objectOf } from '../request.ts'
import { type NoSandbox, type Sandbox, sandboxHere } from '../sandbox.ts'
import { locateProgram } from '../sandbox-program.ts'
import { type McpAnswer, McpClient, type ToolListing } from './client.ts'
import { type CallGate, Gates } from './gate.ts'
import { HttpTransport } from './http-transport.ts'
import { ProgramPool, type ProgramSession } from './pool.ts'
import { type McpServer, serverOf, whyNotStarted } from './server.ts'
import { StdioTransport } from './stdio-transport.ts'

/** Whose call it is, and what it stands on. */
export interface CallPlace {
  readonly tenant: TenantId
  readonly connection: Address
  readonly connectionDigest: Digest
  readonly connector: Address
  readonly connectorDigest: Digest
  readonly footing: Footing
  /** Name of the credential, from the Connection. */
  readonly credential: Json | undefined
}

export interface CallLimits {
  /** On the monotonic clock. */
  readonly deadlineMs: number
  readonly signal: AbortSignal | null
}

/** The call cannot be made, now (`not-done`) or as things are written (`failed`): nothing was sent. */
export class NotCalled extends Error {
  readonly kind: 'not-done' | 'failed'

  constructor(kind: 'not-done' | 'failed', message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

export interface McpParts {
  readonly catalog: ConnectorCatalog
  readonly credentials: CredentialSource
  readonly broker: EgressBroker
  /** Told what a server's tools are, by digest, beside what the connector pins. */
  readonly onListed: (place: CallPlace, listed: Digest, pinned: string | null) => void
  /** Tests bring their own. */
  readonly sandbox?: () => Promise<Sandbox | NoSandbox>
  readonly pool?: ProgramPool
}

/** How long a list of tools is taken to be true. */
const listedForMs = 60_000

/** Speaks to MCP servers: to programs in the sandbox over their streams, to remote ones through the egress broker. */
export class McpCaller {
  readonly #parts: McpParts
  readonly #pool: ProgramPool
  /** When a remote server last showed the tools its connector pins. */
  readonly #shown = new Map<string, number>()

  constructor(parts: McpParts) {
    this.#parts = parts
    this.#pool = parts.pool ?? new ProgramPool()
  }

  /** Makes one call of a tool. Throws `NotCalled`, or whatever became of the call. */
  async call(
    place: CallPlace,
    params: JsonObject,
    gate: CallGate,
    limits: CallLimits,
  ): Promise<{ readonly answer: McpAnswer; readonly used: ReadyCredential | null }> {
    return this.#within(place, limits, true, async (client, gates, used) => {
      gates.set(params, gate)
      return { answer: await client.callTool(params, timing(limits)), used: used() }
    })
  }

  /** What the server offers, whatever the connector pins. */
  async list(place: CallPlace, limits: CallLimits): Promise<ToolListing> {
    const listing = await this.#within(place, limits, false, (client) => client.listTools(timing(limits)))
    const { toolsDigest } = objectOf(place.footing.connector.mcp)
    this.#parts.onListed(place, listing.digest, typeof toolsDigest === 'string' ? toolsDigest : null)
    return listing
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  #within<T>(place: CallPlace, limits: CallLimits, pinned: boolean, use: Use<T>): Promise<T> {
    const server = serverOf(place.footing)
    return server.kind === 'remote'
      ? this.#withRemote(place, server.url, limits, pinned, use)
      : this.#withProgram(place, server, limits, pinned, use)
  }

  async #withRemote<T>(place: CallPlace, url: string, limits: CallLimits, pinned: boolean, use: Use<T>): Promise<T> {
    const { tenant, footing, credential: name } = place
    const config = objectOf(footing.connection.config)
    const gates = new Gates()
    const transport = new HttpTransport({
      broker: this.#parts.broker,
      tenantId: tenant,
      url,
      reach: (request) => reach(this.#parts, { tenant, config }, footing, request, { name, ...limits }, url),
      ...limits,
      gates,
    })
    let client: McpClient | null = null
    try {
      client = await McpClient.connect(transport, timing(limits))
      const key = `${place.connectionDigest} ${place.connectorDigest}`
      if (pinned && performance.now() - (this.#shown.get(key) ?? Number.NEGATIVE_INFINITY) > listedForMs) {
        this.#requirePinned(place, await client.listTools(timing(limits)))
        this.#shown.set(key, performance.now())
      }
      return await use(client, gates, () => transport.used)
    } catch (error) {
      throw withoutSecrets(error, transport.used)
    } finally {
      await client?.close()
    }
  }

  async #withProgram<T>(
    place: CallPlace,
    server: McpServer & { kind: 'program' },
    limits: CallLimits,
    pinned: boolean,
    use: Use<T>,
  ): Promise<T> {
    const key = `${place.tenant} ${place.connection} ${place.connectionDigest} ${place.connectorDigest}`
    const { session, release } = await this.#pool
      .lease(key, async () => this.#start(await this.#commandLine(place, server), limits))
      .catch((error: unknown) => {
        if (error instanceof NotCalled) throw error
        throw new NotCalled('not-done', (error as Error).message, error)
      })
    try {
      if (pinned) {
        await this.#relist(session, limits)
        this.#requirePinned(place, session.listing!)
      }
      return await use(session.client, session.gates, () => null)
    } finally {
      release()
    }
  }

  async #commandLine(place: CallPlace, server: McpServer & { kind: 'program' }): Promise<string[]> {
    const { mcpCommands } = await this.#parts.catalog.of(place.tenant)
    const refusal = whyNotStarted(server, slugOf(place.connector) === platformSlug, mcpCommands)
    if (refusal !== null) throw new NotCalled('failed', refusal)
    const sandbox = await (this.#parts.sandbox ?? sandboxHere)()
    if (sandbox.kind === 'none') throw new NotCalled('not-done', `${sandbox.reason}: ${sandbox.hint}`)
    const located = locateProgram(server.command)
    if ('problem' in located) throw new NotCalled('not-done', located.problem)
    return sandbox.confine(located.command, [...located.files, ...server.files])
  }

  async #start(commandLine: readonly string[], limits: CallLimits): Promise<ProgramSession> {
    const gates = new Gates()
    const transport = new StdioTransport(commandLine, gates)
    try {
      const client = await McpClient.connect(transport, timing(limits))
      const session: ProgramSession = { client, transport, gates, listing: null, listedMs: 0 }
      client.onToolsChanged(() => {
        session.listing = null
      })
      return session
    } catch (error) {
      await transport.close()
      const { lastWords } = transport
      const said = lastWords === '' ? (error as Error).message : lastWords
      throw new NotCalled('not-done', `the program did not begin: ${said}`, error)
    }
  }

  async #relist(session: ProgramSession, limits: CallLimits): Promise<void> {
    if (session.listing !== null && performance.now() - session.listedMs < listedForMs) return
    const listing = await session.client.listTools(timing(limits)).catch((error: unknown) => {
      throw new NotCalled('not-done', `its tools cannot be listed: ${(error as Error).message}`, error)
    })
    session.listing = listing
    session.listedMs = performance.now()
  }

  /** Tools other than those a person looked at are not called. */
  #requirePinned(place: CallPlace, { digest }: ToolListing): void {
    const { toolsDigest } = objectOf(place.footing.connector.mcp)
    const pinned = typeof toolsDigest === 'string' ? toolsDigest : null
    this.#parts.onListed(place, digest, pinned)
    if (pinned === digest) return
    throw new NotCalled(
      'failed',
      pinned === null
        ? `the connector pins no \`mcp.toolsDigest\`, and this server's is ${digest}: look at its tools, then write it down`
        : `Drifted: the server's tools are ${digest}, and the connector pins ${pinned}`,
    )
  }
}

type Use<T> = (client: McpClient, gates: Gates, used: () => ReadyCredential | null) => Promise<T>

/** Some errors quote what the server said, and it may have said what it was let in with. */
function withoutSecrets(error: unknown, used: ReadyCredential | null): unknown {
  if (used === null || !(error instanceof Error)) return error
  error.message = used.redactor.text(error.message)
  return error
}

function timing({ deadlineMs, signal }: CallLimits): { timeoutMs: number; signal: AbortSignal | null } {
  return { timeoutMs: Math.max(1, Math.floor(deadlineMs - performance.now())), signal }
}
