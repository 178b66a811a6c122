import { normalize } from 'node:path'
import type { Json } from '../../domain/json.ts'
import type { Footing } from '../binding.ts'
import { objectOf, RenderError, render, renderBaseUrl } from '../request.ts'
import type { BoundFile } from '../sandbox.ts'

/** Where an MCP server is: at a URL, or a program of this machine. */
export type McpServer =
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'program'; readonly command: readonly string[]; readonly files: readonly BoundFile[] }

/** The server of a connection: the connector's, or the sandbox its transport names. Throws a `RenderError`. */
export function serverOf({ connection, connector }: Footing): McpServer {
  const sandbox = objectOf(objectOf(connection.transport).sandbox).baseUrl
  if (typeof sandbox === 'string') return { kind: 'remote', url: sandbox }
  const config = objectOf(connection.config)
  const { url, command, files } = objectOf(connector.mcp)
  if (typeof url === 'string') return { kind: 'remote', url: renderBaseUrl(url, config) }
  const words = list(command).map((word, index) => String(render(word, { config }, 'text', `mcp.command[${index}]`)))
  return { kind: 'program', command: words, files: list(files).map((file, index) => boundFile(file, config, index)) }
}

/**
 * Why a program may not be started, or null. The host's paths are the platform's to give; a tenant's own connector starts
 * what the applied Deployment lists, and sees no file.
 */
export function whyNotStarted(
  { command, files }: McpServer & { kind: 'program' },
  isPlatform: boolean,
  mcpCommands: readonly string[],
): string | null {
  if (isPlatform) return null
  const [program = ''] = command
  if (!mcpCommands.includes(program)) {
    return `a tenant's connector may not start \`${program}\`: the Deployment's mcpCommands does not list it`
  }
  if (files.length > 0) return 'a tenant’s connector may bind no files: they are the platform’s to give'
  return null
}

/** Paths that would show a program the machine itself. */
const closed = /^\/(?:$|(?:proc|sys|dev|usr|bin|sbin|lib\w*|etc|boot)(?:\/|$))/

function boundFile(file: Json, config: Footing['connection'], index: number): BoundFile {
  const { path, write } = objectOf(file)
  const field = `mcp.files[${index}].path`
  const rendered = String(render(path ?? '', { config }, 'path', field))
  const normal = normalize(rendered).replace(/(.)\/$/, '$1')
  if (!rendered.startsWith('/')) throw new RenderError(`\`${field}\` is no absolute path`)
  if (closed.test(normal)) throw new RenderError(`\`${field}\`: \`${normal}\` belongs to the system and is not bound`)
  return { path: normal, write: write === true }
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : []
}
