import { digestJson } from '../../controller/domain/digest.ts'
import { isJsonObject, type Json, type JsonObject } from '../../controller/domain/json.ts'
import type { ResourceContent, ResourceMetadata } from '../../controller/domain/resource.ts'
import type { FieldSchema } from '../field-schema.ts'
import {
  apiVersion,
  isKind,
  type Kind,
  kindInfo,
  kinds,
  type SchemaProblem,
  validateDocument,
  walkFields,
  withDefaults,
} from '../index.ts'
import { pointerTokens, quoted } from '../problem.ts'
import { closest } from '../suggest.ts'
import type { FileSubject } from './analyse-file.ts'
import { claimsOf } from './claims.ts'
import { checkExpressionField } from './expression-fields.ts'
import type { DeferredExpression, DocumentFacts, FileReferenceFact, LocalProblem, ReferenceFact } from './facts.ts'
import type { ParsedDocument } from './parse-yaml.ts'
import { factPlace, localProblem } from './places.ts'
import type { SourceText, Span } from './source-text.ts'

export interface AnalysedDocument {
  readonly problems: readonly LocalProblem[]
  /** Null when the document has an error, or says too little to be addressed. */
  readonly facts: DocumentFacts | null
}

/** Located problems of one document are kept up to here: a hostile document has one a line. */
const problemsMax = 100

/** Everything about one document that can be known without the others. */
export function analyseDocument(
  document: ParsedDocument,
  source: SourceText,
  subject: FileSubject,
  index: number,
): AnalysedDocument {
  const value = document.value as JsonObject
  const problems: LocalProblem[] = []
  const report: Report = (code, pointer, target, message, hint, severity = 'error', at = null) => {
    if (problems.length >= problemsMax) return
    const span = at ?? document.locate(pointer, target)
    problems.push(localProblem(source, { code, message, hint, span }, severity))
  }

  const kind = kindOfDocument(value, report)
  if (kind === null) return { problems, facts: null }
  checkDeployment(kind, subject, report)
  for (const problem of validateDocument(kind, value, { slug: subject.slug })) {
    const { code, pointer, atKey, message, hint, severity = 'error' } = problem
    if (isUnquotedExpression(kind, problem, document, source)) {
      const quote = 'quote the value: an unquoted `{` begins a map'
      report('UNQUOTED_EXPRESSION', pointer, 'value', 'the expression is read as a map', quote)
    } else {
      report(code, pointer, atKey ? 'key' : 'value', message, hint, severity)
    }
  }
  const found = readFields(kind, value, document, source, report)
  const name = nameOf(kind, value)
  if (name === null) return { problems, facts: null }
  const failed = problems.some(({ severity }) => severity === 'error')
  const content = failed ? null : contentOf(kind, value)
  const place = factPlace(source, document.span)
  const placeOf = (pointer: string, target: 'key' | 'value') => factPlace(source, document.locate(pointer, target))
  const { previously } = value.metadata as JsonObject
  return {
    problems,
    facts: {
      ...{ index, kind, name },
      inherited: kindInfo(kind).inherited,
      place: [place[0], place[1], place[0], place[1]],
      namePlace: placeOf('/metadata/name', 'value'),
      labels: content?.metadata.labels ?? {},
      previously:
        typeof previously === 'string' ? { value: previously, place: placeOf('/metadata/previously', 'value') } : null,
      references: found.references,
      files: found.files,
      content: content && factContent(content, found.files.length > 0),
      sandboxDigest: content && kind === 'Schedule' ? digestJson(pausedContent(content) as unknown as Json) : null,
      claims: claimsOf(kind, content?.spec ?? (isJsonObject(value.spec) ? value.spec : {}), placeOf),
      expressions: found.expressions,
    },
  }
}

export type Report = (
  code: string,
  pointer: string,
  target: 'key' | 'value',
  message: string,
  hint: string | null,
  severity?: 'error' | 'warning',
  /** Where exactly, when that is not the whole key or value. */
  at?: Span | null,
) => void

/** Kind, metadata and spec as they are hashed: after defaults, what is absent and what is empty being the same. */
export function contentOf(kind: Kind, value: JsonObject): ResourceContent {
  const written = value.metadata as unknown as ResourceMetadata
  const metadata = {
    name: written.name,
    ...(written.labels && Object.keys(written.labels).length > 0 ? { labels: written.labels } : {}),
    ...(written.annotations && Object.keys(written.annotations).length > 0 ? { annotations: written.annotations } : {}),
  }
  return { kind, metadata, spec: withDefaults(kind, (value.spec ?? {}) as JsonObject) }
}

/** What a sandbox inherits: everything as it is, but nothing starts by itself. */
export function pausedContent(content: ResourceContent): ResourceContent {
  return content.kind === 'Schedule' ? { ...content, spec: { ...content.spec, state: 'paused' } } : content
}

function factContent(content: ResourceContent, hasFiles: boolean): DocumentFacts['content'] {
  return hasFiles ? { unread: content as unknown as JsonObject } : { digest: digestJson(content as unknown as Json) }
}

/** The name as in the address; null when the document does not say enough to have one. */
function nameOf(kind: Kind, { metadata, spec }: JsonObject): string | null {
  if (!isJsonObject(metadata) || typeof metadata.name !== 'string') return null
  if (!kindInfo(kind).versioned) return metadata.name
  return isJsonObject(spec) && typeof spec.version === 'string' ? `${metadata.name}@${spec.version}` : null
}

/** The kind the document says it is; null when nothing more can be said about it. */
function kindOfDocument(value: JsonObject, report: Report): Kind | null {
  const { apiVersion: version, kind } = value
  if (version !== undefined && version !== apiVersion) {
    const message = `\`apiVersion\` is ${quoted(version)}, not \`${apiVersion}\``
    report('API_VERSION', '/apiVersion', 'value', message, `write \`apiVersion: ${apiVersion}\``)
    return null
  }
  if (kind === undefined) {
    report(
      'MISSING_FIELD',
      '',
      'value',
      '`kind` is missing',
      `write one of ${kinds.map((info) => info.kind).join(', ')}`,
    )
    return null
  }
  if (typeof kind === 'string' && isKind(kind)) return kind
  const names = kinds.map((info) => info.kind)
  const near = typeof kind === 'string' ? closest(kind, names) : null
  const hint = near ? `did you mean \`${near}\`?` : `write one of ${names.join(', ')}`
  report('KIND_UNKNOWN', '/kind', 'value', `${quoted(kind)} is not a known kind`, hint)
  return null
}

/** What the schemas cannot see: that a file at the root holds the Deployment, and nothing else does. */
function checkDeployment(kind: Kind, subject: FileSubject, report: Report): void {
  if ((kind === 'Deployment') === (subject.role === 'deployment')) return
  const [message, hint] =
    kind === 'Deployment'
      ? ['a Deployment lies only in `fibric.yaml` at the root', 'move it to `fibric.yaml`']
      : [`a ${kind} may not lie in \`fibric.yaml\``, 'move it below `tenants/`']
  report('KIND_MISPLACED', '/kind', 'value', message, hint)
}

/** A flow map where an expression belongs is an expression whose quotes were forgotten. */
function isUnquotedExpression(
  kind: Kind,
  problem: SchemaProblem,
  document: ParsedDocument,
  source: SourceText,
): boolean {
  if (problem.code !== 'WRONG_TYPE' || source.text[document.locate(problem.pointer, 'value').start] !== '{')
    return false
  let schema: FieldSchema | undefined = kindInfo(kind).schema
  for (const token of pointerTokens(problem.pointer).slice(1)) {
    const rest: boolean | FieldSchema | undefined = schema?.additionalProperties
    schema = schema?.properties?.[token] ?? schema?.items ?? (typeof rest === 'object' ? rest : undefined)
  }
  return schema?.['x-expression'] !== undefined
}

interface FoundFields {
  readonly references: ReferenceFact[]
  readonly files: FileReferenceFact[]
  readonly expressions: DeferredExpression[]
}

/** References, files and expressions of a spec, wherever its schema marks them. */
function readFields(
  kind: Kind,
  value: JsonObject,
  document: ParsedDocument,
  source: SourceText,
  report: Report,
): FoundFields {
  const found: FoundFields = { references: [], files: [], expressions: [] }
  if (!isJsonObject(value.spec)) return found
  const spec = value.spec
  const seen = new Set<string>()
  walkFields(kind, spec, (pointer, field, schema) => {
    const reference = schema['x-ref']
    if (reference && typeof field === 'string') {
      // The key of an entry is visited before its value, under the same pointer.
      const atKey = !seen.has(pointer) && pointerTokens(pointer).at(-1) === field
      seen.add(pointer)
      const kindsHere = reference.kindFrom ? kindFrom(spec, pointer, reference.kindFrom) : reference.kinds
      const place = factPlace(source, document.locate(pointer, atKey ? 'key' : 'value'))
      found.references.push({ kinds: kindsHere, value: field, place })
    }
    if (schema['x-file'] && isJsonObject(field) && typeof field.file === 'string') {
      const place = factPlace(source, document.locate(`${pointer}/file`, 'value'))
      found.files.push({ pointer, value: field.file, place })
    }
    if (schema['x-expression'] && typeof field === 'string') {
      checkExpressionField(
        { spec, pointer, document, source, report, deferred: found.expressions },
        field,
        schema['x-expression'],
      )
    }
  })
  return found
}

/** The kind that a sibling field names, in a list of one. */
function kindFrom(spec: JsonObject, pointer: string, sibling: string): readonly string[] {
  let parent: Json | undefined = spec
  for (const token of pointerTokens(pointer).slice(1, -1)) {
    if (isJsonObject(parent)) parent = parent[token]
    else if (Array.isArray(parent)) parent = (parent as readonly Json[])[Number(token)]
  }
  const kind = isJsonObject(parent) ? parent[sibling] : undefined
  return typeof kind === 'string' ? [kind] : []
}
