import type { Json, JsonObject } from '../../controller/domain/json.ts'
import { below, dotted, type SchemaProblem } from '../problem.ts'
import { closest } from '../suggest.ts'
import { connectorEvent } from './connector-events.ts'
import {
  absent,
  type DocumentRule,
  exactlyOne,
  isPlatform,
  objectOf,
  objectsIn,
  problem,
  required,
} from './rule-kit.ts'

export const connector: DocumentRule = (spec, context) => {
  const tools = objectsIn(spec.tools, '/spec/tools')
  return [
    ...authentication(objectOf(spec.auth)),
    ...transport(spec),
    ...program(spec, isPlatform(context)),
    ...tools.flatMap(({ item, at }) => [
      ...tierAndEffect(item, at),
      ...recovery(item, at),
      ...carrier(item, at, spec.runtime),
      ...declaredRead(item, at, isPlatform(context), spec.runtime),
    ]),
    ...objectsIn(spec.events, '/spec/events').flatMap(({ item, at }) => connectorEvent(item, at)),
    ...toolReferences(spec),
  ]
}

/** Whether the tool declares itself a read, in any of the three spellings. */
export function isRead(tool: JsonObject): boolean {
  return tool.effect === 'read' || tool.tier === 0 || tool.sideEffecting === false
}

/** Fills what depends on other fields: tier and effect imply one another, and only a keyed tool has a window. */
export function completeConnector(spec: JsonObject): JsonObject {
  if (spec.tools === undefined) return spec
  const tools = Object.entries(objectOf(spec.tools)).map(
    ([capability, tool]) => [capability, completeTool(tool)] as const,
  )
  return { ...spec, tools: Object.fromEntries(tools) }
}

function completeTool(value: Json): Json {
  const tool = objectOf(value)
  if (tool !== value) return value
  if (isRead(tool)) return { ...tool, tier: tool.tier ?? 0, effect: tool.effect ?? 'read' }
  const effect = tool.effect ?? 'blind'
  return { ...(effect === 'keyed' ? { keyWindow: '24h' } : {}), ...tool, tier: tool.tier ?? 2, effect }
}

function authentication(auth: JsonObject): SchemaProblem[] {
  const { kind } = auth
  const strangers = Object.entries(fieldsByAuthKind).flatMap(([owner, fields]) =>
    owner === kind ? [] : fields.flatMap((name) => absent(auth, name, '/spec/auth', `belongs to \`kind: ${owner}\``)),
  )
  if (kind !== 'api_key') return strangers
  return ['in', 'name']
    .flatMap((name) => required(auth, name, '/spec/auth', 'an API key needs a place'))
    .concat(strangers)
}

const fieldsByAuthKind = {
  api_key: ['in', 'name'],
  oauth2: ['scopes', 'tokenUrl'],
  aws_iam: ['service', 'region'],
} as const

function transport(spec: JsonObject): SchemaProblem[] {
  const { runtime } = spec
  if (typeof runtime !== 'string') return []
  const problems = ['http', 'mcp']
    .filter((name) => name !== runtime)
    .flatMap((name) => absent(spec, name, '/spec', `belongs to \`runtime: ${name}\`, and this is \`${runtime}\``))
  if (runtime !== 'builtin') problems.push(...required(spec, runtime, '/spec', `\`runtime: ${runtime}\` needs it`))
  if (runtime === 'mcp' && spec.mcp !== undefined) problems.push(...server(objectOf(spec.mcp), '/spec/mcp'))
  return problems
}

/** An MCP server is remote or a local program; files are for the program. */
export function server(mcp: JsonObject, at: string): SchemaProblem[] {
  const files = mcp.command === undefined ? absent(mcp, 'files', at, 'are for a local program, and need `command`') : []
  return [...exactlyOne(mcp, ['url', 'command'], at), ...files]
}

/** A local program takes no credential, and the paths of the machine are the platform's to give. */
function program({ auth, mcp, runtime }: JsonObject, platform: boolean): SchemaProblem[] {
  const { command, files } = objectOf(mcp)
  if (runtime !== 'mcp' || command === undefined) return []
  const { kind } = objectOf(auth)
  const problems: SchemaProblem[] = []
  if (kind !== 'none') {
    const message = `a local program takes no credential, and this is \`kind: ${String(kind)}\``
    problems.push(problem('CONFLICTING_FIELDS', '/spec/auth/kind', message, 'write `auth: {kind: none}`'))
  }
  if (files !== undefined && !platform) {
    const message = 'paths of the machine are shown to programs by a `_platform` connector only'
    problems.push(problem('CONFLICTING_FIELDS', '/spec/mcp/files', message, 'let the platform publish the connector'))
  }
  return problems
}

function tierAndEffect(tool: JsonObject, at: string): SchemaProblem[] {
  const { tier, effect, sideEffecting } = tool
  const hint = 'a read is `effect: read`, `tier: 0` or `sideEffecting: false`; anything else is at least tier 1'
  if (tier === 0 && effect !== undefined && effect !== 'read') {
    return [
      problem('TIER_FLOOR', below(at, 'tier'), `tier 0 is for reads, and this tool is \`effect: ${effect}\``, hint),
    ]
  }
  if (effect === 'read' && tier !== undefined && tier !== 0) {
    return [problem('TIER_FLOOR', below(at, 'tier'), `a read has tier 0, not \`${tier}\``, hint)]
  }
  if (sideEffecting === false && ((tier !== undefined && tier !== 0) || (effect !== undefined && effect !== 'read'))) {
    const other = tier !== undefined && tier !== 0 ? `tier: ${tier}` : `effect: ${effect}`
    return [
      problem(
        'CONFLICTING_FIELDS',
        below(at, 'sideEffecting'),
        `\`sideEffecting: false\` is a read, and this tool is \`${other}\``,
        hint,
      ),
    ]
  }
  if (sideEffecting === true && (tier === 0 || effect === 'read')) {
    return [
      problem(
        'CONFLICTING_FIELDS',
        below(at, 'sideEffecting'),
        '`sideEffecting: true` is no read, and this tool says it is one',
        hint,
      ),
    ]
  }
  if (tier === 1 && objectOf(tool.http).method === 'DELETE') {
    return [
      problem(
        'TIER_FLOOR',
        below(at, 'tier'),
        'a DELETE is at least tier 2, not `1`',
        'set `tier: 2`, or leave it out',
      ),
    ]
  }
  return []
}

function recovery(tool: JsonObject, at: string): SchemaProblem[] {
  const { effect } = tool
  const needs = { conditional: 'ifMatch', queryable: 'query' } as const
  const problems: SchemaProblem[] = []
  for (const [wanted, field] of Object.entries(needs)) {
    if (effect === wanted) problems.push(...required(tool, field, at, `\`effect: ${wanted}\` needs it`))
    else problems.push(...absent(tool, field, at, `belongs to \`effect: ${wanted}\``))
  }
  if (effect !== 'keyed') problems.push(...absent(tool, 'keyWindow', at, 'belongs to `effect: keyed`'))
  if (isRead(tool)) {
    for (const field of ['undo', 'retry', 'outcome'])
      problems.push(...absent(tool, field, at, 'is for effects, and this tool is a read'))
  }
  return problems
}

function carrier(tool: JsonObject, at: string, runtime: Json | undefined): SchemaProblem[] {
  if (runtime === 'http') {
    return [
      ...required(tool, 'http', at, 'the connector runs over HTTP'),
      ...absent(tool, 'mcp', at, 'belongs to `runtime: mcp`'),
    ]
  }
  return runtime === 'mcp' ? absent(tool, 'http', at, 'belongs to `runtime: http`') : []
}

/** A read by anything but GET or HEAD is a claim; only in `_platform` is there a person who vouches for it. */
function declaredRead(tool: JsonObject, at: string, platform: boolean, runtime: Json | undefined): SchemaProblem[] {
  if (!isRead(tool)) return []
  const place = below(at, tool.effect === 'read' ? 'effect' : tool.tier === 0 ? 'tier' : 'sideEffecting')
  const hint = 'declare it an effect (tier 1 or more), or let the platform publish the connector'
  if (runtime === 'mcp' && !platform) {
    return [problem('READ_NOT_VOUCHED', place, 'a reading MCP tool stands in a `_platform` connector only', hint)]
  }
  const { method } = objectOf(tool.http)
  if (typeof method !== 'string' || method === 'GET' || method === 'HEAD') return []
  if (method === 'POST') {
    return platform
      ? []
      : [problem('READ_NOT_VOUCHED', place, 'a read by POST stands in a `_platform` connector only', hint)]
  }
  return [
    problem('TIER_FLOOR', place, `a ${method} is no read`, 'declare it an effect: tier 1 or more, 2 for a DELETE'),
  ]
}

function toolReferences(spec: JsonObject): SchemaProblem[] {
  const tools = objectOf(spec.tools)
  const calls = [
    ...objectsIn(spec.tools, '/spec/tools').flatMap(({ item, at }) =>
      ['ifMatch', 'query', 'undo'].map((name) => [item, name, at] as const),
    ),
    ...objectsIn(spec.events, '/spec/events').flatMap(({ item, at }) =>
      ['register', 'unregister'].map((name) => [item, name, at] as const),
    ),
  ]
  return calls.flatMap(([holder, field, at]) => {
    const { tool } = objectOf(holder[field])
    if (typeof tool !== 'string') return []
    const place = below(below(at, field), 'tool')
    const reads = field === 'ifMatch' || field === 'query'
    if (!Object.hasOwn(tools, tool)) {
      const meant = closest(tool, Object.keys(tools))
      const hint = meant === null ? null : `did you mean \`${meant}\``
      const found = problem('UNKNOWN_TOOL', place, `the connector has no tool \`${tool}\``, hint)
      return [reads ? found : { ...found, severity: 'warning' }]
    }
    if (reads && !isRead(objectOf(tools[tool]))) {
      return [
        problem('CONFLICTING_FIELDS', place, `\`${dotted(below(at, field))}\` reads, and \`${tool}\` is an effect`),
      ]
    }
    return []
  })
}
