import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { digestJson } from '../../domain/digest.ts'
import type { Digest } from '../../domain/ids.ts'
import type { Json, JsonObject } from '../../domain/json.ts'

export type { JSONRPCMessage, Transport }

/** One tool as a server describes it: what a digest covers, and what a person reads before writing it down. */
export interface McpTool {
  readonly name: string
  readonly description: string | null
  readonly annotations: JsonObject
}

export interface ToolListing {
  readonly tools: readonly McpTool[]
  /** Over names, descriptions, schemas and annotations, in the order of names. */
  readonly digest: Digest
}

/** What a tool answered. */
export interface McpAnswer {
  readonly isError: boolean
  readonly content: Json
  readonly structured: JsonObject | null
}

export interface CallOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal | null
}

/** The server answered a call with an error of the protocol. */
export class McpRefusal extends Error {}

const toolsMax = 1000
const pagesMax = 50

/**
 * The MCP protocol over a transport of ours. The SDK is loaded with the first connection, for it is heavy. Schemas that a
 * server sends are never compiled: they are a stranger's, and our own check is the tool's schema in the Connector.
 */
export class McpClient {
  readonly #client: SdkClient
  readonly #sdk: Sdk

  private constructor(sdk: Sdk, client: SdkClient) {
    this.#sdk = sdk
    this.#client = client
  }

  /** Opens a session: the handshake, and nothing else. Throws whatever the transport does. */
  static async connect(transport: Transport, { timeoutMs, signal }: CallOptions): Promise<McpClient> {
    const sdk = await loadSdk()
    const client = new sdk.Client({ name: 'fibric', version: '1' }, { jsonSchemaValidator: believingNothing })
    await client.connect(transport, { timeout: timeoutMs, ...(signal && { signal }) })
    return new McpClient(sdk, client)
  }

  async listTools({ timeoutMs, signal }: CallOptions): Promise<ToolListing> {
    const found: JsonObject[] = []
    let cursor: string | undefined
    for (let page = 0; page < pagesMax; page++) {
      const answer = await this.#client.request(
        { method: 'tools/list', params: cursor === undefined ? {} : { cursor } },
        this.#sdk.ListToolsResultSchema,
        { timeout: timeoutMs, ...(signal && { signal }) },
      )
      found.push(...(answer.tools as unknown as JsonObject[]))
      if (found.length > toolsMax) throw new McpRefusal(`it lists more than ${toolsMax} tools`)
      cursor = answer.nextCursor
      if (cursor === undefined) return listingOf(found)
    }
    throw new McpRefusal(`its list of tools has more than ${pagesMax} pages`)
  }

  /** The params object reaches the transport as it is: it may know by it what the call is. */
  async callTool(params: JsonObject, { timeoutMs, signal }: CallOptions): Promise<McpAnswer> {
    try {
      const answer = await this.#client.request(
        { method: 'tools/call', params: params as { name: string } },
        this.#sdk.CallToolResultSchema,
        { timeout: timeoutMs, ...(signal && { signal }) },
      )
      return {
        isError: answer.isError === true,
        content: answer.content as unknown as Json,
        structured: (answer.structuredContent as JsonObject | undefined) ?? null,
      }
    } catch (error) {
      const { code } = error as { code?: unknown }
      const { ConnectionClosed, RequestTimeout } = this.#sdk.ErrorCode
      if (error instanceof this.#sdk.McpError && code !== ConnectionClosed && code !== RequestTimeout) {
        throw new McpRefusal(`error ${code}`, { cause: error })
      }
      throw error
    }
  }

  onToolsChanged(changed: () => void): void {
    this.#client.setNotificationHandler(this.#sdk.ToolListChangedNotificationSchema, changed)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

export function listingOf(tools: readonly JsonObject[]): ToolListing {
  const sorted = [...tools].sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1))
  const covered = sorted.map(({ name, title, description, inputSchema, outputSchema, annotations }) =>
    withoutAbsent({ name, title, description, inputSchema, outputSchema, annotations }),
  )
  return {
    digest: digestJson(covered),
    tools: sorted.map(({ name, description, annotations }) => ({
      name: String(name),
      description: typeof description === 'string' ? description : null,
      annotations: (annotations ?? {}) as JsonObject,
    })),
  }
}

function withoutAbsent(fields: { readonly [name: string]: Json | undefined }): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as JsonObject
}

type Sdk = Awaited<ReturnType<typeof loadSdk>>
type SdkClient = InstanceType<Sdk['Client']>

const believingNothing = {
  getValidator: () => (input: unknown) => ({ valid: true as const, data: input as never, errorMessage: undefined }),
}

async function loadSdk() {
  const [{ Client }, types] = await Promise.all([
    import('@modelcontextprotocol/sdk/client/index.js'),
    import('@modelcontextprotocol/sdk/types.js'),
  ])
  const { CallToolResultSchema, ErrorCode, ListToolsResultSchema, McpError, ToolListChangedNotificationSchema } = types
  return {
    Client,
    CallToolResultSchema,
    ErrorCode,
    ListToolsResultSchema,
    McpError,
    ToolListChangedNotificationSchema,
  }
}
