import type { Diagnostic } from '../diagnostic.ts'

export interface RenderOptions {
  readonly color: boolean
}

/** Diagnostics for people, one block each and a count at the end; empty when there are none. Ends in a line feed. */
export function renderDiagnostics(diagnostics: readonly Diagnostic[], { color }: RenderOptions): string {
  if (diagnostics.length === 0) return ''
  const paint = color ? painted : plain
  const blocks = diagnostics.map((diagnostic) => renderOne(diagnostic, paint))
  return `${blocks.join('\n')}\n${summary(diagnostics, paint)}\n`
}

type Style = 'error' | 'warning' | 'bold' | 'dim' | 'hint'
type Paint = (style: Style, text: string) => string

const codes = { error: '1;31', warning: '1;33', bold: '1', dim: '34', hint: '36' } as const
const painted: Paint = (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m`
const plain: Paint = (_, text) => text

function renderOne(diagnostic: Diagnostic, paint: Paint): string {
  const { severity, code, message, hint, path, line, column, snippet, related } = diagnostic
  const gutter = ' '.repeat(String(line).length)
  const lines = [
    `${paint(severity, `${severity}[${code}]`)}${paint('bold', `: ${safe(message)}`)}`,
    `${gutter}${paint('dim', '-->')} ${safe(path)}:${line}:${column}`,
  ]
  if (snippet !== null) {
    lines.push(
      `${gutter} ${paint('dim', '|')}`,
      `${paint('dim', `${line} |`)} ${safe(snippet)}`,
      `${gutter} ${paint('dim', '|')} ${indent(snippet, column)}${paint(severity, '^'.repeat(caretLength(diagnostic, snippet)))}`,
    )
  }
  for (const place of related) {
    lines.push(
      `${gutter} ${paint('dim', '=')} ${safe(place.message)}: ${safe(place.path)}:${place.line}:${place.column}`,
    )
  }
  if (hint !== null) lines.push(`${gutter} ${paint('hint', '= hint:')} ${safe(hint)}`)
  return `${lines.join('\n')}\n`
}

/** White space as wide as the line up to the column: a tab stays a tab, a wide character takes two columns. */
function indent(snippet: string, column: number): string {
  let out = ''
  for (const character of snippet.slice(0, column - 1)) out += character === '\t' ? '\t' : ' '.repeat(width(character))
  return out
}

/** Columns that the marked text takes; what goes on in later lines is marked to the end of the first. */
function caretLength({ line, column, endLine, endColumn }: Diagnostic, snippet: string): number {
  const marked = snippet.slice(column - 1, endLine === line ? endColumn - 1 : snippet.length)
  let columns = 0
  for (const character of marked) columns += width(character)
  return Math.max(1, columns)
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

function width(character: string): number {
  return wide.test(character) ? 2 : 1
}

/** What a document says must not move the reader's cursor or recolour the terminal. */
function safe(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (unit) => (unit === '\t' ? unit : '�'))
}

function summary(diagnostics: readonly Diagnostic[], paint: Paint): string {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  const warnings = diagnostics.length - errors
  const files = new Set(diagnostics.map(({ path }) => path)).size
  const counts = [...counted(errors, 'error'), ...counted(warnings, 'warning')].join(' and ')
  return paint('bold', `${counts} in ${counted(files, 'file')[0]}`)
}

function counted(count: number, noun: string): string[] {
  return count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'}`]
}
