import { Composer, type Document, Parser, type YAMLParseError } from 'yaml'
import type { Json } from '../../controller/domain/json.ts'
import type { ParseProblem } from './parse-problem.ts'
import type { Span } from './source-text.ts'
import { type LocateTarget, locateNode, plainScalarAt, type ScalarText } from './yaml-locate.ts'
import { nestingDepthMax, nodeToJson } from './yaml-to-json.ts'

/** One document of a file: its value and the way back from a pointer into it to the text. */
export interface ParsedDocument {
  /** Undefined when the document is empty, or when its problems left no value. */
  readonly value: Json | undefined
  /** Where its first key stands. */
  readonly span: Span
  /** The span of the value (or key) at a JSON pointer, or of the nearest parent that exists. */
  locate(pointer: string, target: LocateTarget): Span
  /** How the scalar at a pointer was written; null when there is none. */
  scalarText(pointer: string): ScalarText | null
}

export interface ParsedSource {
  readonly documents: readonly ParsedDocument[]
  readonly problems: readonly ParseProblem[]
}

export const documentLengthMax = 1024 * 1024
// Beyond the size limit: 1 MiB of `[,[,[,` is half a million lexemes. Real documents have one lexeme per four characters.
const lexemesMax = 600_000
const documentsMax = 20_000
const problemsMax = 100

/**
 * Parses a YAML stream (or a JSON text) into the values of its documents; never throws.
 *
 * The parser is driven lexeme by lexeme, so that nesting and size are refused before the recursive composer sees them.
 */
export function parseYaml(text: string): ParsedSource {
  const tokens = tokenize(text)
  if (!Array.isArray(tokens)) return { documents: [], problems: [tokens as ParseProblem] }
  const problems: ParseProblem[] = []
  const documents: ParsedDocument[] = []
  // A hostile file makes hundreds of thousands of errors, and their stack traces, which nobody reads, take seconds.
  const stackTraceLimit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    const composer = new Composer({
      uniqueKeys: false,
      prettyErrors: false,
      strict: true,
      version: '1.2',
      merge: false,
    })
    for (const document of composer.compose(tokens, true, text.length)) {
      const parsed = convert(text, document as Document.Parsed, problems)
      if (parsed) documents.push(parsed)
    }
  } catch (error) {
    problems.push(problemOf(text, 0, (error as Error).message, 'YAML_SYNTAX'))
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  return { documents, problems: problems.slice(0, problemsMax) }
}

function tokenize(text: string) {
  const parser = new Parser()
  const tokens = []
  let lexemes = 0
  let documents = 0
  // @ts-expect-error the lexer is private in the types, but the documented way to drive the parser needs one
  for (const lexeme of parser.lexer.lex(text) as Iterable<string>) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token)
      if (token.type === 'document') documents++
    }
    // One entry is the document, and a scalar being built may stand above the deepest collection.
    if (parser.stack.length > nestingDepthMax + 2) {
      return {
        code: 'TOO_DEEP',
        message: `nesting is deeper than ${nestingDepthMax} levels`,
        hint: null,
        span: { start: parser.offset, end: parser.offset + 1 },
      }
    }
    if (documents > documentsMax) {
      return {
        code: 'DOCUMENT_TOO_LARGE',
        message: `the file has more than ${documentsMax} documents`,
        hint: 'split the file',
        span: { start: parser.offset, end: parser.offset + 1 },
      }
    }
    if (++lexemes > lexemesMax) {
      return {
        code: 'DOCUMENT_TOO_LARGE',
        message: `the file has more than ${lexemesMax} tokens`,
        hint: 'split the file',
        span: { start: parser.offset, end: parser.offset + 1 },
      }
    }
  }
  for (const token of parser.end()) tokens.push(token)
  return tokens
}

function convert(text: string, document: Document.Parsed, problems: ParseProblem[]): ParsedDocument | null {
  for (const error of document.errors) if (problems.length < problemsMax) problems.push(syntaxProblem(text, error))
  const { contents, range } = document
  const start = contents?.range?.[0] ?? range[0]
  const end = contents?.range?.[1] ?? start
  if (end - start > documentLengthMax) {
    const message = `the document is ${end - start} characters long, over ${documentLengthMax}`
    problems.push({ code: 'DOCUMENT_TOO_LARGE', message, hint: 'split the document', span: { start, end: start + 1 } })
    return null
  }
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2') {
    const message = `YAML ${document.directives.yaml.version} is not supported`
    problems.push({
      code: 'YAML_VERSION',
      message,
      hint: 'remove the %YAML directive',
      span: { start, end: start + 1 },
    })
  }
  const value = nodeToJson(contents, text, problems)
  return {
    value,
    span: { start, end: Math.max(end, start) },
    locate: (pointer, target) => locateNode(contents, pointer, target),
    scalarText: (pointer) => plainScalarAt(contents, pointer, text),
  }
}

const hints: { readonly [code: string]: string } = {
  TAB_AS_INDENT: 'indent with spaces',
  BAD_ALIAS: 'quote a value that begins with `*`',
  BAD_SCALAR_START: 'quote the value',
  BLOCK_AS_IMPLICIT_KEY: 'check the indentation, or quote a value that contains `: `',
  MULTILINE_IMPLICIT_KEY: 'check that every key ends in `:` and that quotes and brackets are closed',
  MISSING_CHAR: 'check that quotes and brackets are closed',
  BAD_INDENT: 'check the indentation',
  TAG_RESOLVE_FAILED: 'quote a value that begins with `!`',
  BAD_DQ_ESCAPE: 'write `\\\\` for a backslash, or use single quotes',
}

function syntaxProblem(text: string, error: YAMLParseError): ParseProblem {
  return problemOf(text, error.pos[0], error.message, error.code === 'TAB_AS_INDENT' ? 'TAB_INDENT' : 'YAML_SYNTAX', {
    end: error.pos[1],
    hint: hints[error.code] ?? null,
  })
}

function problemOf(
  text: string,
  start: number,
  message: string,
  code: string,
  more: { end?: number; hint?: string | null } = {},
): ParseProblem {
  const line = message.split('\n')[0]!.replace(/\.$/, '')
  const shortened = line.length > 200 ? `${line.slice(0, 200).toWellFormed()}…` : line
  // What is missing at the end is missing after the last thing that is there, not on the empty line below it.
  const at = start >= text.length ? text.trimEnd().length : start
  return {
    code,
    message: shortened.charAt(0).toLowerCase() + shortened.slice(1),
    hint: more.hint ?? null,
    span: { start: at, end: Math.max(at, Math.min(more.end ?? at, text.length)) },
  }
}
