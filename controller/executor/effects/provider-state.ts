import { parseDurationMs } from '../../domain/duration.ts'
import { compileExpression, ExpressionError, type ExpressionNames, evaluate } from '../../domain/expression.ts'
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts'
import { renderJson } from '../../domain/render-json.ts'
import type { Bound, EffectConnector } from './connector.ts'

const readTimeoutMs = 30_000

/** The version a conditional effect is bound to, read just before its intent. */
export async function etagOf(
  connector: EffectConnector,
  bound: Bound,
  args: JsonObject,
): Promise<string | { readonly unread: string }> {
  const { ifMatch } = bound.tool
  if (!isJsonObject(ifMatch)) return { unread: 'the tool is `conditional` and says no `ifMatch`' }
  const read = await readSibling(connector, bound, args, ifMatch)
  if ('unanswered' in read) return { unread: read.unanswered }
  try {
    const etag = renderJson(ifMatch.etag ?? null, read.names)
    return typeof etag === 'string' && etag !== '' ? etag : { unread: 'the version read is no text' }
  } catch (error) {
    return { unread: said(error) }
  }
}

/** Asks the provider of a `queryable` tool whether the effect is there. */
export async function askProvider(
  connector: EffectConnector,
  bound: Bound,
  args: JsonObject,
): Promise<{ readonly applied: boolean } | { readonly unanswered: string }> {
  const { query } = bound.tool
  if (!isJsonObject(query)) return { unanswered: 'the tool is `queryable` and says no `query`' }
  const read = await readSibling(connector, bound, args, query)
  if ('unanswered' in read) return read
  try {
    const applied = evaluate(compileExpression(String(query.applied)), read.names)
    return typeof applied === 'boolean' ? { applied } : { unanswered: '`applied` is neither true nor false' }
  } catch (error) {
    return { unanswered: said(error) }
  }
}

/** How long the provider may take before its answer counts. */
export function settleMsOf(tool: JsonObject): number {
  const { query } = tool
  const settle = isJsonObject(query) ? query.settle : undefined
  return (typeof settle === 'string' ? parseDurationMs(settle) : null) ?? 0
}

/** Another tool of the same connection, called with arguments made from this one's. */
async function readSibling(
  connector: EffectConnector,
  bound: Bound,
  args: JsonObject,
  call: JsonObject,
): Promise<{ readonly names: ExpressionNames } | { readonly unanswered: string }> {
  const name = bound.connection.split('/').at(-1)!
  const sibling = await connector.resolve(bound.tenant, String(call.tool), name, bound)
  if (sibling.kind === 'unbound') return { unanswered: sibling.reason }
  let asked: Json
  try {
    asked = renderJson(call.args ?? args, { config: bound.config, args })
  } catch (error) {
    return { unanswered: said(error) }
  }
  const read = await connector.read(sibling, asked, AbortSignal.timeout(readTimeoutMs))
  if (read.kind === 'failed') return { unanswered: read.reason }
  return { names: { config: bound.config, args, result: read.body, response: { body: read.body } } }
}

function said(error: unknown): string {
  if (error instanceof ExpressionError) return error.message
  throw error
}
