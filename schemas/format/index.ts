import { isOurs } from '../load/analyse-file.ts'
import { decodeText } from '../load/decode.ts'
import { jsonSyntaxProblem } from '../load/json-syntax.ts'
import type { ParseProblem } from '../load/parse-problem.ts'
import { parseYaml } from '../load/parse-yaml.ts'
import { formatJson, formatYaml } from './format-text.ts'

/** What formatting makes of one file. */
export type Formatted =
  /** Its canonical form; equal to the text when it has it already. */
  | { readonly is: 'formatted'; readonly text: string }
  /** No document of ours is in it. */
  | { readonly is: 'foreign' }
  /** It cannot be parsed, or what it says could not be kept. */
  | { readonly is: 'refused'; readonly text: string; readonly problems: readonly ParseProblem[] }

/** Brings one file into its canonical form: its meaning, and so the digest of every resource in it, stays the same. */
export function formatFile(bytes: Buffer, json: boolean): Formatted {
  const { text, problem } = decodeText(bytes)
  if (problem !== null) return text.includes('apiVersion') ? { is: 'refused', text, problems: [problem] } : foreign
  const syntax = json ? jsonSyntaxProblem(text) : null
  const { documents, problems } = syntax === null ? parseYaml(text) : { documents: [], problems: [syntax] }
  if (problems.length > 0) return text.includes('apiVersion') ? { is: 'refused', text, problems } : foreign
  if (!documents.some(({ value }) => isOurs(value))) return foreign
  const formatted = json ? formatJson(text) : formatYaml(text)
  return formatted === null ? { is: 'refused', text, problems: [notKept] } : { is: 'formatted', text: formatted }
}

const foreign: Formatted = { is: 'foreign' }

const notKept: ParseProblem = {
  code: 'YAML_SYNTAX',
  message: 'the file has no canonical form that keeps every value and comment',
  hint: 'simplify where its comments, anchors or tags stand',
  span: { start: 0, end: 1 },
}
