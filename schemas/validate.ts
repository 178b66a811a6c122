import { isJsonObject, type Json, type JsonObject } from '../controller/domain/json.ts'
import { checkSchema } from './check.ts'
import { checkUserSchema } from './dialect.ts'
import type { FieldSchema } from './field-schema.ts'
import { formats } from './formats.ts'
import type { Kind } from './generated/types.ts'
import { makeValidators } from './generated/validators.js'
import { quoted, type SchemaProblem } from './problem.ts'
import { apiVersion, type KindInfo, kindInfo, metadata } from './registry.ts'
import { documentRules } from './rules/index.ts'
import { isPlatform, problem, type RuleContext } from './rules/rule-kit.ts'
import { walkSchema } from './walk.ts'

const validators = makeValidators(Object.fromEntries(Object.entries(formats).map(([name, { test }]) => [name, test])))

/**
 * Everything that is wrong with one document, as far as the document alone shows it; `slug` is the folder it lies in.
 *
 * References, expressions, files and other documents are the loader's.
 */
export function validateDocument(kind: Kind, document: Json, context: { readonly slug: string }): SchemaProblem[] {
  if (!isJsonObject(document)) return checkSchema({ type: 'object' }, document, '')
  const info = kindInfo(kind)
  const spec = document.spec ?? {}
  const problems: SchemaProblem[] = []
  if (!isEnvelope(document)) problems.push(...checkSchema(envelope, document, ''))
  problems.push(...checkIdentity(info, document, context.slug))
  problems.push(...against('metadata', metadata, document.metadata, '/metadata'))
  problems.push(...against(kind, info.schema, spec, '/spec'))
  if (!isJsonObject(spec)) return problems
  const name = isJsonObject(document.metadata) ? document.metadata.name : undefined
  const related = checkDocument(kind, spec, { slug: context.slug, name: typeof name === 'string' ? name : '' })
  problems.push(...(problems.length === 0 ? related : withoutEchoes(related, problems)))
  if (schemaKinds.has(kind)) problems.push(...checkUserSchemas(info.schema, spec))
  return problems
}

/** The rules of a kind: what relates the fields of one spec to one another and to the folder the document lies in. */
export function checkDocument(kind: Kind, spec: JsonObject, context: RuleContext): SchemaProblem[] {
  return documentRules[kind]?.(spec, context) ?? []
}

const envelope: FieldSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['apiVersion', 'kind', 'metadata'],
  properties: { apiVersion: {}, kind: {}, metadata: {}, spec: {} },
}

/** Kinds that hold JSON Schemas of their author's. */
const schemaKinds = new Set<Kind>(['Connector', 'Skill', 'Template'])

function isEnvelope(document: JsonObject): boolean {
  const { apiVersion, kind, metadata } = document
  if (apiVersion === undefined || kind === undefined || metadata === undefined) return false
  return Object.keys(document).length === (document.spec === undefined ? 3 : 4)
}

function checkIdentity(info: KindInfo, document: JsonObject, slug: string): SchemaProblem[] {
  const problems: SchemaProblem[] = []
  const { apiVersion: version, kind } = document
  if (version !== undefined && version !== apiVersion) {
    problems.push(problem('API_VERSION', '/apiVersion', `\`apiVersion\` is ${quoted(version)}, not \`${apiVersion}\``))
  }
  if (kind !== undefined && kind !== info.kind) {
    problems.push(problem('KIND_MISMATCH', '/kind', `\`kind\` is ${quoted(kind)}, not \`${info.kind}\``))
  }
  const platform = isPlatform({ slug, name: '' })
  if (info.scope === 'P' && !platform) {
    problems.push(
      problem('KIND_SCOPE', '/kind', `a ${info.kind} stands in \`_platform\` only, not in a tenant's folder`),
    )
  }
  if (info.scope === 'T' && platform) {
    problems.push(problem('KIND_SCOPE', '/kind', `a ${info.kind} stands in a tenant's folder, not in \`_platform\``))
  }
  const tenant = isJsonObject(document.metadata) ? document.metadata.tenant : undefined
  if (typeof tenant === 'string' && tenant !== '' && tenant !== slug) {
    const message = `\`metadata.tenant\` is ${quoted(tenant)}, and the document lies in the folder of \`${slug}\``
    problems.push(problem('TENANT_PATH_MISMATCH', '/metadata/tenant', message, 'leave it out: the path is the tenancy'))
  }
  return problems
}

function against(name: string, schema: FieldSchema, value: Json | undefined, pointer: string): SchemaProblem[] {
  if (value === undefined || validators[name]?.(value)) return []
  return checkSchema(schema, value, pointer)
}

/** A field that was misspelt is no second problem because a rule misses it. */
function withoutEchoes(related: readonly SchemaProblem[], problems: readonly SchemaProblem[]): SchemaProblem[] {
  const misspelt = new Set(
    problems
      .filter(({ code, hint }) => code === 'UNKNOWN_FIELD' && hint?.startsWith('did you mean'))
      .map(({ pointer }) => pointer.slice(0, pointer.lastIndexOf('/'))),
  )
  return related.filter(({ code, pointer }) => code !== 'MISSING_FIELD' || !misspelt.has(pointer))
}

function checkUserSchemas(schema: FieldSchema, spec: JsonObject): SchemaProblem[] {
  const problems: SchemaProblem[] = []
  walkSchema(schema, spec, '/spec', (pointer, value, field) => {
    if (field['x-schema'] !== true) return
    for (const found of checkUserSchema(value)) {
      problems.push(problem('SCHEMA_DIALECT', `${pointer}${found.pointer}`, found.message, found.hint))
    }
  })
  return problems
}
