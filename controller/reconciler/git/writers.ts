import type { HistoryNode } from './git-objects.ts'
import type { AuthorQuestion } from './repository.ts'

/**
 * For each question, the commits that wrote the file between `since` and `tip`, newest first.
 *
 * `history` lists children before parents and covers everything between; `differences` says, for each commit and each of
 * its parents, which files differ. A merge wrote a file when its content is none of its parents', and also when it
 * brought back content that nobody wrote in between: dropping another's change by merging an old branch is writing.
 */
export function writersOf(
  history: readonly HistoryNode[],
  differences: ReadonlyMap<string, readonly ReadonlySet<string>[]>,
  tip: string,
  questions: readonly AuthorQuestion[],
): string[][] {
  const graph = indexGraph(history)
  const touching = commitsTouching(history, differences)
  const reachable = reachableFrom(graph, tip)
  return questions.map(({ path, since }) => {
    const writers: string[] = []
    // Oldest first: whether a merge merely took over one side depends on who wrote that side.
    for (const { sha, parents } of (touching.get(path) ?? []).toReversed()) {
      if (!reachable.has(sha) || (since !== null && reaches(graph, since, sha))) continue
      const differing = parents.filter((_, at) => differences.get(sha)![at]!.has(path))
      const agreeing = parents.filter((parent) => !differing.includes(parent))
      const wasWritten = writers.some(
        (writer) =>
          agreeing.some((parent) => reaches(graph, parent, writer)) &&
          differing.some((parent) => !reaches(graph, parent, writer)),
      )
      if (agreeing.length === 0 || !wasWritten) writers.push(sha)
    }
    return writers.reverse()
  })
}

interface Graph {
  readonly positions: ReadonlyMap<string, number>
  readonly parents: readonly (readonly number[])[]
  /** Which search last saw each commit, so that nothing has to be cleared between thousands of searches. */
  readonly seen: Int32Array
  search: number
}

function indexGraph(history: readonly HistoryNode[]): Graph {
  const positions = new Map(history.map(({ sha }, at) => [sha, at]))
  const parents = history.map((node) =>
    node.parents.map((parent) => positions.get(parent)).filter((position) => position !== undefined),
  )
  return { positions, parents, seen: new Int32Array(history.length), search: 0 }
}

function commitsTouching(
  history: readonly HistoryNode[],
  differences: ReadonlyMap<string, readonly ReadonlySet<string>[]>,
): Map<string, HistoryNode[]> {
  const touching = new Map<string, HistoryNode[]>()
  for (const node of history) {
    const paths = new Set(differences.get(node.sha)?.flatMap((set) => [...set]))
    for (const path of paths) {
      const commits = touching.get(path) ?? []
      touching.set(path, commits)
      commits.push(node)
    }
  }
  return touching
}

function reachableFrom({ positions, parents }: Graph, tip: string): ReadonlySet<string> {
  const shas = [...positions.keys()]
  const found = new Set<number>([positions.get(tip)].filter((position) => position !== undefined))
  // A set hands out what is added to it while it is walked.
  for (const position of found) for (const parent of parents[position]!) found.add(parent)
  return new Set([...found].map((position) => shas[position]!))
}

/** Depth first, never past the target: in this order nothing older than it can lead back to it. */
function reaches(graph: Graph, from: string, target: string): boolean {
  const start = graph.positions.get(from)
  const goal = graph.positions.get(target)!
  if (start === undefined || start > goal) return false
  const search = ++graph.search
  const stack = [start]
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at === goal) return true
    for (const parent of graph.parents[at]!) {
      if (parent > goal || graph.seen[parent] === search) continue
      graph.seen[parent] = search
      stack.push(parent)
    }
  }
  return false
}
