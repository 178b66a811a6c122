import type { Json } from '../../controller/domain/json.ts'
import { closest } from '../suggest.ts'
import type { SettingsFact } from './facts.ts'
import { compareText, type Findings } from './findings.ts'
import type { ParseCache } from './parse-cache.ts'
import type { LoadedResource, ResourceIndex } from './resources.ts'

/** What is wrong with the settings of one document, as it is kept. */
interface SettingsProblem {
  readonly pointer: string
  readonly message: string
}

/**
 * Judges a Connection's `config` by its Connector, and a TemplateInstall's `parameters` by its Template.
 *
 * The result is kept by the two documents it depends on, so an unchanged pair compiles no schema.
 */
export async function checkSettings(index: ResourceIndex, cache: ParseCache, findings: Findings): Promise<void> {
  for (const resource of [...index.values()].sort((a, b) => compareText(a.address, b.address))) {
    const { claims } = resource.facts
    if (resource.inheritedFrom || (claims.of !== 'connection' && claims.of !== 'template install')) continue
    const definition = definitionOf(resource, index)
    if (!definition) continue
    if (claims.of === 'connection') checkBindings(resource, definition, findings)
    const schema = schemaOf(definition)
    if (schema === null) continue
    const key = `settings:${keyOf(resource)} ${keyOf(definition)}`
    const known = cache.result(key) as readonly SettingsProblem[] | undefined
    const problems = known ?? (await judge(claims.settings, schema))
    if (!known) cache.rememberResult(key, problems as unknown as Json)
    for (const problem of problems) findings.add(finding(resource, claims.settings, problem))
  }
}

/** The resolved Connector or Template; there is none when the reference is dangling or the definition has errors. */
function definitionOf(resource: LoadedResource, index: ResourceIndex): LoadedResource | null {
  for (const address of resource.references) {
    const referred = index.get(address)
    const of = referred?.facts.claims.of
    if (referred?.facts.content && (of === 'connector' || of === 'template')) return referred
  }
  return null
}

function schemaOf({ facts: { claims } }: LoadedResource): Json {
  if (claims.of === 'connector') return claims.configSchema
  return claims.of === 'template' ? claims.parametersSchema : null
}

function keyOf({ file, facts }: LoadedResource): string {
  return `${file.key}#${facts.index}`
}

async function judge(settings: SettingsFact, schema: Json): Promise<SettingsProblem[]> {
  const { compileUserSchema } = await import('../index.ts')
  return compileUserSchema(schema)
    .validate(settings.value)
    .map(({ pointer, message }) => ({ pointer, message }))
}

function finding(resource: LoadedResource, settings: SettingsFact, { pointer, message }: SettingsProblem) {
  const name = pointer.split('/')[1]?.replaceAll('~1', '/').replaceAll('~0', '~')
  const place = (name === undefined ? undefined : settings.fields[name]) ?? settings.place
  const hint = `the schema is that of \`${resource.references[0]}\``
  return { code: 'SETTINGS_INVALID', message, hint, path: resource.path, place }
}

function checkBindings(connection: LoadedResource, connector: LoadedResource, findings: Findings): void {
  const { claims } = connection.facts
  const offered = connector.facts.claims
  if (claims.of !== 'connection' || offered.of !== 'connector') return
  for (const { value, place } of claims.bound) {
    if (Object.hasOwn(offered.tools, value)) continue
    const near = closest(value, Object.keys(offered.tools))
    const message = `\`${connector.facts.name}\` has no tool \`${value}\``
    const hint = near ? `did you mean \`${near}\`?` : null
    findings.add({ code: 'UNKNOWN_TOOL', message, hint, path: connection.path, place })
  }
}
