import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FibricError } from '../../domain/errors.ts'
import type { FoundRepository } from './discover.ts'
import { ambiguous, commitsMax, historyTooLong, missingObject, unmerged } from './failures.ts'
import {
  type AttributeName,
  attributeNames,
  type GitObjects,
  type HistoryNode,
  type ObjectEntry,
  type TrackedFile,
} from './git-objects.ts'
import { formatRevision, parseRevision } from './revision.ts'
import { type GitCallOptions, runGit } from './run-git.ts'

/** Reads a repository through the plumbing of the `git` binary: one process a question, thousands of objects each. */
export function binaryObjects(place: FoundRepository): GitObjects {
  const git = (args: readonly string[], options?: GitCallOptions) => runGit(place, args, options)
  const lines = async (args: readonly string[]) => (await git(args)).stdout.toString().split('\n').filter(Boolean)

  return {
    async commitSha(rev) {
      const revision = parseRevision(rev)
      if (revision === null) return null
      // What `cat-file` says about a name it cannot find is data; what `rev-parse` says is prose.
      const asked = `${formatRevision(revision)}^{commit}`
      const { stdout } = await git(['cat-file', '--batch-check=%(objectname) %(objecttype)'], { input: `${asked}\n` })
      const answer = stdout.toString().trimEnd()
      if (answer === `${asked} ambiguous`) throw ambiguous(rev)
      return /^([0-9a-f]{40,64}) commit$/.exec(answer)?.[1] ?? null
    },

    async existingCommits(shas) {
      const input = shas.map((sha) => `${sha}\n`).join('')
      const { stdout } = await git(['cat-file', '--batch-check=%(objectname) %(objecttype)'], { input })
      return new Set([...stdout.toString().matchAll(/^([0-9a-f]{40,64}) commit$/gm)].map((match) => match[1]!))
    },

    commits: (shas) => readBatch(git, shas, 'commit'),

    async list(commit, prefix) {
      const below = prefix === '' ? [] : ['--', `${prefix}/`]
      const { stdout } = await git([literal, 'ls-tree', '-r', '-z', '--full-tree', commit, ...below])
      return split(stdout).map(parseTreeLine)
    },

    blobs: (oids) => readBatch(git, oids, 'blob'),

    async isAncestor(ancestor, descendant) {
      const { exit } = await git(['merge-base', '--is-ancestor', ancestor, descendant], { exits: [0, 1] })
      return exit === 0
    },

    firstParents: (from, to) =>
      lines(['rev-list', '--first-parent', '--reverse', to, ...(from === null ? [] : [`^${from}`]), '--']),

    async history(tips, since) {
      const base = await commonBase(git, since)
      const range = [...tips, ...(base === null ? [] : [`^${base}`])]
      const found = await lines([
        'rev-list',
        '--topo-order',
        '--parents',
        `--max-count=${commitsMax + 1}`,
        ...range,
        '--',
      ])
      if (found.length > commitsMax) throw historyTooLong()
      return found.map((line) => {
        const [sha, ...parents] = line.split(' ')
        return { sha: sha!, parents }
      })
    },

    differences: (nodes, paths) => diffAgainstParents(git, nodes, paths),

    async shallowCommits() {
      const file = join(place.commonDir, 'shallow')
      return new Set(existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [])
    },

    async isIgnoredDirectory(prefix) {
      const { exit } = await git(['check-ignore', '--quiet', '--', `./${prefix}`], { exits: [0, 1] })
      if (exit === 1) return false
      return (await git([literal, 'ls-files', '-z', '--cached', '--', prefix])).stdout.length === 0
    },

    async working(prefix) {
      const below = prefix === '' ? [] : ['--', `${prefix}/`]
      const listing = [literal, 'ls-files', '-z', '-v', '-s', '--cached', '--others', '--exclude-standard', ...below]
      const rows = split((await git(listing)).stdout)
      return {
        tracked: rows.filter((row) => !row.startsWith('? ')).map(parseIndexLine),
        untracked: rows.filter((row) => row.startsWith('? ')).map((row) => row.slice(2)),
      }
    },

    async settings() {
      const rows = split((await git(['config', '--list', '-z'])).stdout)
      return new Map(
        rows.map((row) => {
          const end = row.indexOf('\n')
          return end < 0 ? [row, 'true'] : [row.slice(0, end), row.slice(end + 1)]
        }),
      )
    },

    async attributes(paths) {
      const input = paths.map((path) => `${path}\0`).join('')
      const words = split((await git(['check-attr', '--stdin', '-z', ...attributeNames], { input })).stdout)
      const found = new Map<string, { [name in AttributeName]?: boolean | string }>(paths.map((path) => [path, {}]))
      for (let at = 0; at + 2 < words.length; at += 3) {
        const value = words[at + 2]!
        if (value === 'unspecified') continue
        found.get(words[at]!)![words[at + 1] as AttributeName] =
          value === 'set' ? true : value === 'unset' ? false : value
      }
      return found
    },
  }
}

// Paths are names, whatever stars and brackets are in them. `check-ignore` refuses the flag and needs none.
const literal = '--literal-pathspecs'

type Git = (args: readonly string[], options?: GitCallOptions) => Promise<{ stdout: Buffer; exit: number }>

async function readBatch(git: Git, oids: readonly string[], type: string): Promise<Buffer[]> {
  if (oids.length === 0) return []
  const { stdout } = await git(['cat-file', '--batch', '--buffer'], { input: `${oids.join('\n')}\n` })
  let at = 0
  return oids.map((oid) => {
    const end = stdout.indexOf(10, at)
    const [, kind, size] = stdout.toString('latin1', at, end).split(' ')
    if (kind !== type) throw missingObject(oid, type)
    const start = end + 1
    at = start + Number(size) + 1
    return stdout.subarray(start, at - 1)
  })
}

/** A commit every one of them descends from; null when there is none. */
async function commonBase(git: Git, shas: readonly string[]): Promise<string | null> {
  const distinct = [...new Set(shas)]
  if (distinct.length < 2) return distinct[0] ?? null
  const { stdout } = await git(['merge-base', '--octopus', ...distinct], { exits: [0, 1] })
  return stdout.toString().trim() || null
}

// Up to this many, git compares only these paths; beyond, matching each name against each path costs more than it saves.
const pathspecsMax = 100

async function diffAgainstParents(git: Git, nodes: readonly HistoryNode[], paths: ReadonlySet<string>) {
  // One line a pair: naming the parent makes git compare with that one alone, `--always` makes it answer every line.
  const pairs = nodes.flatMap(({ sha, parents }) =>
    parents.length === 0 ? [{ sha, line: sha }] : parents.map((parent) => ({ sha, line: `${sha} ${parent}` })),
  )
  const only = paths.size <= pathspecsMax ? ['--', ...paths] : []
  const { stdout } = await git(
    [literal, 'diff-tree', '--stdin', '--always', '--root', '-r', '-z', '--no-renames', '--no-ext-diff', ...only],
    { input: pairs.map(({ line }) => `${line}\n`).join('') },
  )
  const differences = new Map<string, Set<string>[]>(nodes.map(({ sha }) => [sha, []]))
  let asked = -1
  let current = new Set<string>()
  const words = split(stdout)
  for (let at = 0; at < words.length; at++) {
    if (words[at]!.startsWith(':')) {
      const path = words[++at]!
      if (paths.has(path)) current.add(path)
    } else {
      current = new Set()
      differences.get(pairs[++asked]!.sha)!.push(current)
    }
  }
  if (asked + 1 !== pairs.length) throw new FibricError('INTERNAL', 'git diff-tree did not answer every question')
  return differences
}

function split(output: Buffer): string[] {
  const words = output.toString('utf8').split('\0')
  words.pop()
  return words
}

function parseTreeLine(line: string): ObjectEntry {
  const tab = line.indexOf('\t')
  const [mode, , oid] = line.slice(0, tab).split(' ')
  return { path: line.slice(tab + 1), mode: mode!, oid: oid! }
}

function parseIndexLine(line: string): TrackedFile {
  const tab = line.indexOf('\t')
  const path = line.slice(tab + 1)
  const [tag, mode, oid, stage] = line.slice(0, tab).split(' ')
  if (stage !== '0') throw unmerged(path)
  return { path, mode: mode!, oid: oid!, asInIndex: tag !== 'H' }
}
