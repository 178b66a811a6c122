import { isJsonObject } from '../../controller/domain/json.ts'
import { analyseDocument } from './analyse-document.ts'
import { decodeText } from './decode.ts'
import type { DocumentFacts, FileFacts } from './facts.ts'
import { jsonSyntaxProblem } from './json-syntax.ts'
import type { ParseProblem } from './parse-problem.ts'
import { type ParsedSource, parseYaml } from './parse-yaml.ts'
import { localProblem } from './places.ts'
import { SourceText } from './source-text.ts'

export interface FileSubject {
  /** Whose file it is: the folder's name. */
  readonly slug: string
  readonly role: 'deployment' | 'document'
  readonly json: boolean
  /** An applied object came from this path, so that it is ours whatever its text says. */
  readonly applied?: boolean
}

/** Everything about one file that can be known from its bytes. Never throws, whatever they are. */
export function analyseFile(bytes: Buffer, subject: FileSubject): FileFacts {
  if (!subject.applied && subject.role === 'document' && !mayBeOurs(bytes))
    return { problems: [], documents: [], foreign: true }
  const decoded = decodeText(bytes)
  const source = new SourceText(decoded.text)
  const parsed: ParsedSource = decoded.problem
    ? { documents: [], problems: [decoded.problem] }
    : parse(source.text, subject)
  if (parsed.problems.length > 0) {
    const problems = parsed.problems.map((problem) => localProblem(source, problem))
    return { problems, documents: [], foreign: isForeign(source.text, subject) }
  }
  const documents: DocumentFacts[] = []
  const problems = []
  for (const [index, document] of parsed.documents.entries()) {
    if (!isOurs(document.value)) {
      if (subject.role === 'deployment' && document.value !== undefined) {
        problems.push(localProblem(source, notADeployment(document.span)))
      }
      continue
    }
    const analysed = analyseDocument(document, source, subject, index)
    problems.push(...analysed.problems)
    if (analysed.facts) documents.push(analysed.facts)
  }
  return { problems, documents, foreign: false }
}

const envelopeKeys = ['apiVersion', 'kind', 'metadata', 'spec'] as const

/** Two keys of the envelope make a document ours, so that a typo in one of them never deletes anything. */
export function isOurs(value: unknown): boolean {
  if (!isJsonObject(value)) return false
  if (typeof value.apiVersion === 'string' && value.apiVersion.startsWith('fibric.io/')) return true
  return envelopeKeys.filter((key) => Object.hasOwn(value, key)).length >= 2
}

function isForeign(text: string, { role, applied }: FileSubject): boolean {
  return role === 'document' && !applied && !text.includes('apiVersion')
}

/** Fixtures and other tools' files need not be parsed to be left alone. (UTF-16 hides its text, and is refused later.) */
function mayBeOurs(bytes: Buffer): boolean {
  if (bytes.includes('apiVersion') || bytes[0] === 0xff || bytes[0] === 0xfe) return true
  return envelopeKeys.filter((key) => bytes.includes(key)).length >= 2
}

function parse(text: string, subject: FileSubject): ParsedSource {
  // Every JSON text is YAML, which gives it positions; what is YAML and not JSON is refused first.
  const problem = subject.json ? jsonSyntaxProblem(text) : null
  return problem ? { documents: [], problems: [problem] } : parseYaml(text)
}

function notADeployment(span: ParseProblem['span']): ParseProblem {
  const hint = 'begin it with `apiVersion: fibric.io/v1` and `kind: Deployment`'
  return { code: 'DEPLOYMENT_EXPECTED', message: 'this file may hold only the Deployment', hint, span }
}
