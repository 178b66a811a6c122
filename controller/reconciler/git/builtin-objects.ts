import fs, { existsSync } from 'node:fs'
import { join } from 'node:path'
import git from 'isomorphic-git'
import { FibricError } from '../../domain/errors.ts'
import { isIgnoredDirectory, listWorking, readAttributes } from './builtin-working.ts'
import { parseCommit } from './commit-object.ts'
import type { FoundRepository } from './discover.ts'
import { ambiguous, commitsMax, historyTooLong, missingObject } from './failures.ts'
import { fileModes, type GitObjects, type HistoryNode, type ObjectEntry } from './git-objects.ts'
import { readSettings } from './person-files.ts'
import { parseRevision } from './revision.ts'
import { isTrue } from './text-conversion.ts'

/** Reads a repository with isomorphic-git, on a machine without git; what that client cannot read is refused by name. */
export function builtinObjects(place: FoundRepository): GitObjects {
  const settings = readSettings(place.commonDir)
  refuseUnreadable(place, settings)
  const cache = {}
  const at = { fs, gitdir: place.gitDir, cache }
  const parentsRead = new Map<string, readonly string[]>()
  const treesRead = new Map<string, Promise<Map<string, ObjectEntry>>>()

  return {
    async commitSha(rev) {
      const revision = parseRevision(rev)
      if (revision === null) return null
      let sha = await named(revision.name)
      for (const { parent, times } of revision.steps) {
        for (let left = parent === 0 ? 0 : times; left > 0 && sha !== null; left--) {
          sha = (await parentsOf(sha))[parent - 1] ?? null
        }
      }
      return sha
    },

    async existingCommits(shas) {
      const kinds = await Promise.all(shas.map(async (sha) => [sha, await peel(sha)] as const))
      return new Set(kinds.filter(([sha, peeled]) => sha === peeled).map(([sha]) => sha))
    },

    commits: (shas) => Promise.all(shas.map((sha) => content(sha, 'commit'))),

    async list(commit, prefix) {
      let tree = await rootTree(commit)
      const walked: string[] = []
      for (const name of prefix.split('/').filter(Boolean)) {
        const entry: ObjectEntry | undefined = (await readTree(tree)).get(name)
        walked.push(name)
        if (entry === undefined) return []
        if (entry.mode !== folderMode) {
          const isHere = walked.join('/') === prefix && entry.mode === fileModes.submodule
          return isHere ? [{ ...entry, path: prefix }] : []
        }
        tree = entry.oid
      }
      const found: ObjectEntry[] = []
      await collect(tree, prefix === '' ? '' : `${prefix}/`, found)
      return found
    },

    async blobs(oids) {
      const blobs: Buffer[] = []
      for (const oid of oids) blobs.push(await content(oid, 'blob'))
      return blobs
    },

    async isAncestor(ancestor, descendant) {
      return (await reachable([descendant], new Set(), ancestor)).has(ancestor)
    },

    async firstParents(from, to) {
      const before = new Set<string>()
      for (let sha = from; sha !== null; sha = (await parentsOf(sha))[0] ?? null) before.add(sha)
      const line: string[] = []
      for (let sha: string | null = to; sha !== null && !before.has(sha); sha = (await parentsOf(sha))[0] ?? null) {
        line.unshift(sha)
      }
      return line
    },

    async history(tips, since) {
      const common = since.length === 0 ? new Set<string>() : await intersection(since)
      const nodes = new Map<string, HistoryNode>()
      for (const sha of await reachable(tips, common)) nodes.set(sha, { sha, parents: await parentsOf(sha) })
      return childrenFirst(nodes)
    },

    async differences(nodes, paths) {
      const wanted = [...paths].map((path) => path.split('/'))
      const differences = new Map<string, ReadonlySet<string>[]>()
      for (const { sha, parents } of nodes) {
        const tree = await rootTree(sha)
        const before = parents.length === 0 ? [null] : await Promise.all(parents.map(rootTree))
        differences.set(sha, await Promise.all(before.map((parent) => differing(parent, tree, wanted))))
      }
      return differences
    },

    shallowCommits: async () => new Set(),
    isIgnoredDirectory: async (prefix) => isIgnoredDirectory(place, settings, prefix),
    working: async (prefix) => listWorking(place, settings, prefix),
    settings: async () => settings,
    attributes: async (paths) => readAttributes(place, settings, paths),
  }

  /** A full sha, then refs in git's order, then the beginning of a sha. */
  async function named(name: string): Promise<string | null> {
    if (/^[0-9a-f]{40}$/i.test(name)) return peel(name.toLowerCase())
    const ref = await orNull(git.resolveRef({ ...at, ref: name }), name)
    if (ref !== null) return peel(ref)
    if (!/^[0-9a-f]{4,39}$/i.test(name)) return null
    const oid = await orNull(git.expandOid({ ...at, oid: name.toLowerCase() }), name)
    return oid === null ? null : peel(oid)
  }

  async function peel(oid: string): Promise<string | null> {
    const object = await orNull(git.readObject({ ...at, oid, format: 'content' }), oid)
    if (object?.type === 'commit') return oid
    if (object?.type !== 'tag' || !(object.object instanceof Uint8Array)) return null
    const target = /^object ([0-9a-f]{40})\n/.exec(Buffer.from(object.object).toString('latin1'))
    return target === null ? null : peel(target[1]!)
  }

  async function content(oid: string, type: 'commit' | 'blob'): Promise<Buffer> {
    const object = await git.readObject({ ...at, oid, format: 'content' }).catch((cause: unknown) => {
      throw missingObject(oid, type, cause)
    })
    if (object.type !== type || !(object.object instanceof Uint8Array)) throw missingObject(oid, type)
    return Buffer.from(object.object)
  }

  async function parentsOf(sha: string): Promise<readonly string[]> {
    const known = parentsRead.get(sha)
    if (known !== undefined) return known
    if (parentsRead.size >= commitsMax) throw historyTooLong()
    const { parents } = parseCommit(sha, await content(sha, 'commit'))
    parentsRead.set(sha, parents)
    return parents
  }

  async function rootTree(commit: string): Promise<string> {
    return parseCommit(commit, await content(commit, 'commit')).tree
  }

  function readTree(oid: string): Promise<Map<string, ObjectEntry>> {
    const known = treesRead.get(oid)
    if (known !== undefined) return known
    const pending = git.readTree({ ...at, oid }).then(
      ({ tree }) => new Map(tree.map((entry) => [entry.path, { path: entry.path, mode: entry.mode, oid: entry.oid }])),
      (cause: unknown) => {
        throw missingObject(oid, 'tree', cause)
      },
    )
    treesRead.set(oid, pending)
    return pending
  }

  async function collect(tree: string, prefix: string, found: ObjectEntry[]): Promise<void> {
    for (const entry of (await readTree(tree)).values()) {
      if (entry.mode === folderMode) await collect(entry.oid, `${prefix}${entry.path}/`, found)
      else found.push({ ...entry, path: prefix + entry.path })
    }
  }

  /** Everything reachable outside `stop`, or until `goal` is met. */
  async function reachable(tips: readonly string[], stop: ReadonlySet<string>, goal?: string): Promise<Set<string>> {
    const found = new Set<string>()
    const stack = [...tips]
    for (let sha = stack.pop(); sha !== undefined; sha = stack.pop()) {
      if (found.has(sha) || stop.has(sha)) continue
      found.add(sha)
      if (sha === goal) break
      stack.push(...(await parentsOf(sha)))
    }
    return found
  }

  async function intersection(tips: readonly string[]): Promise<Set<string>> {
    let common: Set<string> | null = null
    for (const tip of new Set(tips)) {
      const reached = await reachable([tip], new Set())
      common = common === null ? reached : inBoth(common, reached)
    }
    return common ?? new Set()
  }

  /** Descends only where both sides differ and somebody asked. */
  async function differing(before: string | null, after: string | null, wanted: string[][]): Promise<Set<string>> {
    if (before === after) return new Set()
    const [old, now] = await Promise.all([before, after].map((oid) => (oid === null ? emptyTree : readTree(oid))))
    const found = new Set<string>()
    for (const [name, paths] of Map.groupBy(wanted, ([first]) => first!)) {
      const [was, is] = [old!.get(name), now!.get(name)]
      if (was?.oid === is?.oid && was?.mode === is?.mode) continue
      const deeper = paths.filter((path) => path.length > 1).map((path) => path.slice(1))
      if (deeper.length < paths.length && (isFile(was) || isFile(is))) found.add(name)
      const folders = [was, is].map((entry) => (entry?.mode === folderMode ? entry.oid : null))
      if (deeper.length === 0 || folders.every((oid) => oid === null)) continue
      for (const path of await differing(folders[0]!, folders[1]!, deeper)) found.add(`${name}/${path}`)
    }
    return found
  }
}

function inBoth(one: ReadonlySet<string>, other: ReadonlySet<string>): Set<string> {
  return new Set([...one].filter((sha) => other.has(sha)))
}

const folderMode = '040000'
const emptyTree: ReadonlyMap<string, ObjectEntry> = new Map()

function isFile(entry: ObjectEntry | undefined): boolean {
  return entry !== undefined && entry.mode !== folderMode
}

/** What isomorphic-git would misread or not find: each by the name a person knows it by. */
function refuseUnreadable(place: FoundRepository, settings: ReadonlyMap<string, string>): void {
  const format = settings.get('extensions.objectformat')
  const because = [
    format !== undefined && format !== 'sha1' && `its objects are named by ${format.toUpperCase()}`,
    isPartial(settings) && 'it is a partial clone',
    existsSync(join(place.commonDir, 'shallow')) && 'it is a shallow clone',
    settings.has('extensions.refstorage') && `its refs are stored as ${settings.get('extensions.refstorage')}`,
    place.commonDir !== place.gitDir && 'it is a linked working tree',
    existsSync(join(place.commonDir, 'objects', 'info', 'alternates')) && 'it borrows objects from another repository',
  ].find((reason) => reason !== false)
  if (because === undefined) return
  throw new FibricError('GIT', `repository \`${place.gitDir}\` cannot be read without a \`git\` binary: ${because}`, {
    hint: 'install git',
  })
}

function isPartial(settings: ReadonlyMap<string, string>): boolean {
  if (settings.has('extensions.partialclone')) return true
  return [...settings].some(([name, value]) => /^remote\..*\.promisor$/.test(name) && isTrue(value))
}

/** Children before parents (Kahn), as `git rev-list --topo-order`. */
function childrenFirst(nodes: ReadonlyMap<string, HistoryNode>): HistoryNode[] {
  const children = new Map<string, number>()
  for (const { parents } of nodes.values()) {
    for (const parent of parents) children.set(parent, (children.get(parent) ?? 0) + 1)
  }
  const ready = [...nodes.values()].filter(({ sha }) => !children.has(sha))
  const ordered: HistoryNode[] = []
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    ordered.push(node)
    for (const parent of node.parents) {
      const left = children.get(parent)! - 1
      children.set(parent, left)
      const next = nodes.get(parent)
      if (left === 0 && next !== undefined) ready.push(next)
    }
  }
  return ordered
}

/** Null for what is not there; anything else isomorphic-git says means a repository it cannot make sense of. */
async function orNull<T>(pending: Promise<T>, asked: string): Promise<T | null> {
  return pending.catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? cause.code : ''
    if (code === 'NotFoundError') return null
    if (code === 'AmbiguousError') throw ambiguous(asked)
    throw new FibricError('GIT', `\`${asked}\` cannot be read from the repository`, {
      hint: 'install git, and see what `git fsck` says',
      cause,
    })
  })
}
