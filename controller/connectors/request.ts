import { canonicalBytes } from '../domain/canonical-json.ts'
import { ExpressionError, type ExpressionNames } from '../domain/expression.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import { parseTemplate, renderTemplate, type TemplatePlace } from '../domain/template.ts'

/** An HTTP request as a tool describes it, credentials left out. */
export interface RenderedRequest {
  readonly method: string
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: Buffer | null
}

/** The values given do not make a request, a key or an amount: the message says which field, and why. */
export class RenderError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'RenderError'
  }
}

/** The request that a tool's (or a probe's) `http` stands for. Throws a `RenderError`. */
export function renderRequest(http: JsonObject, baseUrl: string, names: ExpressionNames): RenderedRequest {
  const path = String(render(http.path ?? '', names, 'path', 'http.path'))
  if (!path.startsWith('/')) throw new RenderError('`http.path` does not begin with `/`')
  const query = renderQuery(objectOf(http.query), names)
  const glue = query === '' ? '' : path.includes('?') ? '&' : '?'
  const body = http.body === undefined ? null : canonicalBytes(renderJson(http.body, names, 'http.body'))
  return {
    method: String(http.method),
    url: `${baseUrl.replace(/\/+$/, '')}${path}${glue}${query}`,
    headers: {
      accept: 'application/json',
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...renderHeaders(objectOf(http.headers), names),
    },
    body: body ?? (bodyless.has(String(http.method)) ? null : Buffer.alloc(0)),
  }
}

/** `https://${config.shop}.example.com/api`, rendered: every value is a single DNS label. */
export function renderBaseUrl(template: string, config: JsonObject): string {
  const text = String(render(template, { config }, 'host', 'baseUrl'))
  const url = URL.parse(text)
  if (url === null || url.search !== '' || url.hash !== '') throw new RenderError('`baseUrl` does not make a URL')
  return url.href
}

export function render(text: Json, names: ExpressionNames, place: TemplatePlace, field: string): Json {
  if (typeof text !== 'string') return text
  const parsed = parseTemplate(text)
  if ('problem' in parsed) throw new RenderError(`\`${field}\`: ${parsed.problem.message}`)
  try {
    return renderTemplate(parsed.parts, names, place)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    throw new RenderError(`\`${field}\`: ${error.message}`, error)
  }
}

/** A value with templates inside; a template that is exactly one expression keeps its value's type. */
export function renderJson(value: Json, names: ExpressionNames, field: string): Json {
  if (typeof value === 'string') return render(value, names, 'json', field)
  if (Array.isArray(value)) return value.map((item: Json, index) => renderJson(item, names, `${field}[${index}]`))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, renderJson(item, names, `${field}.${key}`)]),
  )
}

/** Arguments as templates see them: an optional one that was not given is null. */
export function argumentsFor(tool: JsonObject, args: Json): JsonObject {
  const declared = objectOf(objectOf(tool.input).properties)
  const absent = Object.fromEntries(Object.keys(declared).map((name) => [name, null]))
  return { ...absent, ...objectOf(args) }
}

export function objectOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}

const bodyless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE'])

function renderQuery(query: JsonObject, names: ExpressionNames): string {
  const pairs: string[] = []
  for (const [name, template] of Object.entries(query)) {
    const field = `http.query.${name}`
    const value =
      typeof template === 'string' ? render(template, names, 'query', field) : encodeURIComponent(String(template))
    if (value !== null) pairs.push(`${encodeURIComponent(name)}=${String(value)}`)
  }
  return pairs.join('&')
}

/** What frames a message, or says who sends it, is not a tool's to write. */
const reserved =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|proxy-.*|accept-encoding)$/

function renderHeaders(headers: JsonObject, names: ExpressionNames): { [name: string]: string } {
  const rendered: { [name: string]: string } = {}
  for (const [name, template] of Object.entries(headers)) {
    const key = name.toLowerCase()
    if (reserved.test(key)) throw new RenderError(`\`http.headers.${name}\` is not a tool's to set`)
    const value = render(template, names, 'header', `http.headers.${name}`)
    if (value !== null) rendered[key] = String(value)
  }
  return rendered
}
