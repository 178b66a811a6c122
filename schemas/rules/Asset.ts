import type { JsonObject } from '../../controller/domain/json.ts'
import { below, type SchemaProblem } from '../problem.ts'
import { server } from './Connector.ts'
import { absent, type DocumentRule, isPlatform, objectOf, objectsIn, problem, required } from './rule-kit.ts'

const types = ['python', 'node', 'shell', 'http', 'mcp']

export const asset: DocumentRule = (spec, context) => {
  const { type } = spec
  if (typeof type !== 'string' || !types.includes(type)) return []
  const problems = types
    .filter((other) => other !== type)
    .flatMap((other) => absent(spec, other, '/spec', `belongs to \`type: ${other}\`, and this is \`${type}\``))
  problems.push(...required(spec, type, '/spec', `\`type: ${type}\` needs it`))
  if (type === 'http') problems.push(...http(objectOf(spec.http), isPlatform(context)))
  if (type === 'http')
    problems.push(...absent(spec, 'sandbox', '/spec', 'is for programs, and an HTTP resource starts none'))
  if (type === 'mcp' && spec.mcp !== undefined) problems.push(...server(objectOf(spec.mcp), '/spec/mcp'))
  return problems
}

function http(value: JsonObject, platform: boolean): SchemaProblem[] {
  const problems: SchemaProblem[] = []
  if (!platform) {
    const hint = 'move it to `_platform`, and give it to the tenant with a Grant'
    problems.push(problem('PLATFORM_ONLY', '/spec/type', 'an asset of type `http` stands in `_platform` only', hint))
  }
  const { method, path } = value
  if (typeof method !== 'string' || method === 'GET' || method === 'HEAD') return problems
  const listed = objectsIn(value.writes, '/spec/http/writes').some(
    ({ item }) => item.method === method && item.path === path,
  )
  if (!listed) {
    const hint = `add \`{method: ${method}, path: …}\` to \`spec.http.writes\``
    problems.push(
      problem(
        'MISSING_FIELD',
        below('/spec/http', 'method'),
        `the write boundary does not list ${method} of this path`,
        hint,
      ),
    )
  }
  return problems
}
