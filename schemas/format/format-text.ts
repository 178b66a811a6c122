import { type Document, Lexer, parseAllDocuments } from 'yaml'
import { canonicalJson } from '../../controller/domain/canonical-json.ts'
import type { Json } from '../../controller/domain/json.ts'
import { parseYaml } from '../load/parse-yaml.ts'
import { layCollections } from './collections.ts'
import { envelopeOrder, orderEnvelope } from './key-order.ts'
import { quoteScalars, scalarTags } from './scalars.ts'

/**
 * The canonical form of a YAML text that parses without problems: comments and values kept, keys of the envelope in their
 * order, two spaces, quotes only where they are needed, `---` between documents, one line feed at the end.
 *
 * Formatting twice changes nothing further. Null when no form of it could be found that keeps every value and comment.
 */
export function formatYaml(text: string): string | null {
  let current = text
  for (let pass = 0; pass < passesMax; pass++) {
    const next = formatOnce(current)
    if (next === current) break
    current = next
  }
  return keeps(text, current) ? current : null
}

/** The canonical form of a JSON text that parses without problems. */
export function formatJson(text: string): string {
  return `${JSON.stringify(envelopeOrder(JSON.parse(text) as Json), null, 2)}\n`
}

// The library moves some comments only when it reads its own output; the third pass has never changed anything.
const passesMax = 4

function formatOnce(text: string): string {
  const documents = parseAllDocuments(text, { customTags: scalarTags, uniqueKeys: false, merge: false }) as Document[]
  const kept = documents.filter((document) => !isEmpty(document))
  if (kept.length === 0 || documents.some(hasDirectives)) return withLineFeed(text)
  return kept.map(formatDocument).join('---\n')
}

function formatDocument(document: Document): string {
  orderEnvelope(document)
  quoteScalars(document)
  layCollections(document)
  if (document.directives) Object.assign(document.directives, { docStart: null, docEnd: false })
  return withLineFeed(
    document.toString({
      indent: 2,
      lineWidth: 0,
      flowCollectionPadding: false,
      doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER,
    }),
  )
}

function isEmpty({ contents, comment, commentBefore }: Document): boolean {
  return !comment && !commentBefore && (contents === null || (contents as { source?: string }).source === '')
}

/** `%YAML` and `%TAG` lines: nobody writes them, and they bind the text as it is. */
function hasDirectives({ directives }: Document): boolean {
  return directives?.yaml.explicit === true || Object.keys(directives?.tags ?? {}).length > 1
}

function withLineFeed(text: string): string {
  const lines = text.replaceAll('\r\n', '\n')
  return lines.endsWith('\n') || lines === '' ? lines : `${lines}\n`
}

/** Whether two texts say the same to the loader, and the same to a reader. */
function keeps(before: string, after: string): boolean {
  return before === after || (meaning(before) === meaning(after) && comments(before) === comments(after))
}

function meaning(text: string): string | null {
  const { documents, problems } = parseYaml(text)
  if (problems.length > 0) return null
  return canonicalJson(documents.flatMap(({ value }) => (value === undefined ? [] : [value])))
}

function comments(text: string): string {
  const found: string[] = []
  for (const lexeme of new Lexer().lex(text)) if (lexeme.startsWith('#')) found.push(lexeme.trim())
  return found.sort().join('\n')
}
