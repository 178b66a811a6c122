import type { Diagnostic, RelatedPlace } from '../diagnostic.ts'
import { decodeText } from './decode.ts'
import type { FactPlace, LocalProblem } from './facts.ts'
import type { FileTree } from './file-tree.ts'
import { SourceText } from './source-text.ts'

export interface Finding {
  readonly code: string
  readonly severity?: 'error' | 'warning'
  readonly message: string
  readonly hint: string | null
  readonly path: string
  /** Null where the whole file is meant. */
  readonly place: FactPlace | null
  readonly related?: readonly { readonly message: string; readonly path: string; readonly place: FactPlace }[]
}

/** Collects what is wrong with a repository, from wherever it is found. */
export class Findings {
  readonly #diagnostics: Diagnostic[] = []
  /** Diagnostics whose source line is still to be read. */
  readonly #unread = new Set<Diagnostic>()
  /** Where a document is wrong by itself; what follows from it in other documents' eyes is not said again. */
  readonly #wrongPlaces = new Set<string>()

  add(finding: Finding): void {
    const { code, severity = 'error', message, hint, path, place, related = [] } = finding
    if (place && this.#wrongPlaces.has(`${path}:${place[0]}:${place[1]}`)) return
    const diagnostic = {
      ...{ code, severity, message, hint, path },
      ...coordinates(place ?? [1, 1, 1, 1]),
      snippet: null,
      related: related.map((other) => relatedPlace(other.message, other.path, other.place)),
    }
    this.#diagnostics.push(diagnostic)
    if (place) this.#unread.add(diagnostic)
  }

  addLocal(path: string, problem: LocalProblem): void {
    const { code, severity, message, hint, place, snippet, related } = problem
    if (severity === 'error') this.#wrongPlaces.add(`${path}:${place[0]}:${place[1]}`)
    this.#diagnostics.push({
      ...{ code, severity, message, hint, path },
      ...coordinates(place),
      snippet,
      related: related.map((other) => relatedPlace(other.message, path, other.place)),
    })
  }

  /** Whether a file has an error so far. */
  pathsWithErrors(): Set<string> {
    const paths = new Set<string>()
    for (const { severity, path } of this.#diagnostics) if (severity === 'error') paths.add(path)
    return paths
  }

  /** All of them with their source lines, in the order of files and lines, the same whatever order they were found in. */
  async sorted(tree: FileTree): Promise<Diagnostic[]> {
    const sources = new Map<string, SourceText | null>()
    const complete: Diagnostic[] = []
    for (const diagnostic of this.#diagnostics) {
      if (!this.#unread.has(diagnostic)) {
        complete.push(diagnostic)
        continue
      }
      const { path } = diagnostic
      if (!sources.has(path)) sources.set(path, await readSource(tree, path))
      complete.push({ ...diagnostic, snippet: sources.get(path)?.snippetOfLine(diagnostic.line) ?? null })
    }
    return complete.sort(compare)
  }
}

async function readSource(tree: FileTree, path: string): Promise<SourceText | null> {
  try {
    return new SourceText(decodeText(await tree.read(path)).text)
  } catch {
    // The file went away since it was listed; the diagnostic stands without its line.
    return null
  }
}

function coordinates([line, column, endLine, endColumn]: FactPlace) {
  return { line, column, endLine, endColumn }
}

function relatedPlace(message: string, path: string, [line, column]: FactPlace): RelatedPlace {
  return { message, path, line, column }
}

function compare(a: Diagnostic, b: Diagnostic): number {
  return (
    compareText(a.path, b.path) ||
    a.line - b.line ||
    a.column - b.column ||
    compareText(a.code, b.code) ||
    compareText(a.message, b.message)
  )
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
