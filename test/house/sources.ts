import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** One place where a file names another module. */
export interface Import {
  readonly from: string
  /** Path within the repository, or the name of a package. */
  readonly to: string
  readonly isPackage: boolean
  /** `import type`: gone before anything runs. */
  readonly isType: boolean
  /** A file that is started in a thread of its own: alive by it, but not loaded with it. */
  readonly isStarted: boolean
}

/** Every file that git knows or would take, by path. Untracked ones count: what is being written has to keep the rules. */
export function repositoryFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return [...new Set(listed.split('\0'))].filter((path) => path !== '' && existsSync(`${root}/${path}`)).sort()
}

export function sourceFiles(): string[] {
  return repositoryFiles().filter((path) =>
    /^(?:cli|controller|schemas|scripts|bench|examples|test)\/.*\.(?:ts|js|mjs)$/.test(path),
  )
}

export function textOf(path: string): string {
  return readFileSync(`${root}/${path}`, 'utf8')
}

/** The modules a file names: static and dynamic imports, re-exports, and the worker files it starts. */
export function importsOf(path: string): Import[] {
  const text = textOf(path)
  const found: Import[] = []
  for (const pattern of patterns) {
    for (const { groups } of text.matchAll(pattern)) {
      const specifier = groups?.specifier?.replace('${extension}', 'ts')
      if (specifier === undefined || specifier.startsWith('node:')) continue
      const isPackage = !specifier.startsWith('.')
      const to = isPackage ? packageOf(specifier) : posix.normalize(posix.join(posix.dirname(path), specifier))
      found.push({ from: path, to, isPackage, isType: groups?.type !== undefined, isStarted: pattern === started })
    }
  }
  return path.startsWith('test/') ? [...found, ...programsOf(path, text)] : found
}

/** The programs a test starts: files that a text of it names, from its own folder or from the top. */
function programsOf(path: string, text: string): Import[] {
  return [...text.matchAll(/['"`/](?<name>[\w./-]+\.(?:ts|mjs))['"`]/g)].flatMap(({ groups }) =>
    [posix.join(posix.dirname(path), groups!.name!), groups!.name!]
      .filter((to) => to !== path && /^(?:test|scripts|bench)\//.test(to) && existsSync(`${root}/${to}`))
      .map((to) => ({ from: path, to, isPackage: false, isType: false, isStarted: true })),
  )
}

const started = /new URL\(\s*['"`](?<specifier>\.[^'"`]+\.(?:ts|js|mjs|\$\{extension\}))['"`],\s*import\.meta\.url/g

const patterns = [
  /^(?:import|export)(?<type> type)?\b[^'"`;=]*?\bfrom\s+['"](?<specifier>[^'"]+)['"]/gm,
  /^import\s+['"](?<specifier>[^'"]+)['"]/gm,
  /\b(?:import|require)\(\s*['"](?<specifier>[^'"]+)['"]\s*\)/g,
  started,
]

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
