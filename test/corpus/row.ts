/** One malformed input and everything that must be said about it. */
export interface CorpusRow {
  readonly name: string
  /** Path → text; a marker `⟦CODE⟧` stands where the diagnostic must point, and is taken out before the text is read. */
  readonly files: { readonly [path: string]: string | Buffer }
  /** For what carries no marker: bytes, generated texts, links. */
  readonly expected?: readonly ExpectedPlace[]
  /** Leave out the Tenant that is added to `tenants/acme`. */
  readonly bare?: boolean
}

export interface ExpectedPlace {
  readonly code: string
  readonly path: string
  readonly line: number
  readonly column: number
}

export const subjectPath = 'tenants/acme/subject.yaml'

/** A text as the one file of the tenant `acme`, beside its Tenant. */
export function text(name: string, content: string): CorpusRow {
  return { name, files: { [subjectPath]: content } }
}

export function bytes(name: string, content: Buffer, code: string, line: number, column: number, path = subjectPath): CorpusRow {
  return { name, files: { [path]: content }, expected: [{ code, path, line, column }] }
}

export function files(name: string, content: CorpusRow['files'], more: Partial<CorpusRow> = {}): CorpusRow {
  return { name, files: content, ...more }
}

/** A document of a kind with the spec given, indented by two. */
export function document(kind: string, name: string, spec: string, metadata = ''): string {
  return `apiVersion: fibric.io/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${metadata}${spec === '' ? '' : `spec:\n${spec}`}`
}

/** A row of one document in `acme`. */
export function spec(name: string, kind: string, content: string, metadata = ''): CorpusRow {
  return text(name, document(kind, 'subject', content, metadata))
}

/** A row of one document in `_platform`. */
export function platform(name: string, kind: string, content: string, metadata = ''): CorpusRow {
  return files(name, { 'tenants/_platform/subject.yaml': document(kind, 'subject', content, metadata) })
}
