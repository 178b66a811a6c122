import { execFile } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import { findProgram } from './sandbox-program.ts'
import { unshareScript } from './sandbox-unshare.ts'

/** A path of this machine that a confined program sees, at the same place; all others it does not see. */
export interface BoundFile {
  readonly path: string
  readonly write: boolean
}

/** What confines programs on this machine. */
export interface Sandbox {
  readonly kind: 'bubblewrap' | 'unshare'
  /** The whole command line that runs `command` confined; its first word is what is started. */
  confine(command: readonly string[], files: readonly BoundFile[]): string[]
}

export interface NoSandbox {
  readonly kind: 'none'
  readonly reason: string
  readonly hint: string
}

/** Paths of the programs a sandbox is made of; null where they are not installed. */
export interface SandboxPrograms {
  readonly setpriv: string | null
  readonly prlimit: string | null
  readonly bwrap: string | null
  readonly unshare: string | null
}

/**
 * Finds what confines programs here, and tries it: drop the uid, set limits, then bubblewrap, else `unshare`. A program
 * gets fresh namespaces of every kind, no network, the system read-only, a small tmpfs, and the files that are bound. Where
 * neither works nothing is weakened: nothing is run.
 */
export async function findSandbox(programs: SandboxPrograms = installedPrograms()): Promise<Sandbox | NoSandbox> {
  const { setpriv, prlimit, bwrap, unshare } = programs
  if (setpriv === null || prlimit === null) return none('`setpriv` and `prlimit` are not installed', 'util-linux')
  const before = [...dropping(setpriv), ...limited(prlimit)]
  const candidates: Sandbox[] = []
  if (bwrap !== null) {
    const version = await versionOf(bwrap)
    candidates.push({
      kind: 'bubblewrap',
      confine: (command, files) => [...before, ...bubblewrapped(bwrap, version, files), '--', ...command],
    })
  }
  if (unshare !== null) {
    candidates.push({
      kind: 'unshare',
      confine: (command, files) => [...before, ...unshared(unshare, files), ...command],
    })
  }
  const reasons: string[] = []
  for (const candidate of candidates) {
    const problem = await tried(candidate)
    if (problem === null) return candidate
    reasons.push(`${candidate.kind}: ${problem}`)
  }
  return none(reasons.length > 0 ? reasons.join('; ') : 'bubblewrap is not installed', 'bubblewrap')
}

let found: Promise<Sandbox | NoSandbox> | null = null

/** The sandbox of this machine, looked for once. */
export function sandboxHere(): Promise<Sandbox | NoSandbox> {
  found ??= findSandbox()
  return found
}

export function installedPrograms(): SandboxPrograms {
  return {
    setpriv: findProgram('setpriv'),
    prlimit: findProgram('prlimit'),
    bwrap: findProgram('bwrap'),
    unshare: findProgram('unshare'),
  }
}

/** Whoever starts as root goes on as `nobody`; whatever is started ends with the process that started it. */
function dropping(setpriv: string): string[] {
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
  return [setpriv, '--pdeathsig=KILL', ...(process.getuid?.() === 0 ? nobody : [])]
}

/** No limit on address space: V8 reserves gigabytes of it. What is really used counts as data. */
function limited(prlimit: string): string[] {
  return [
    prlimit,
    '--core=0',
    '--nofile=256',
    '--nproc=512',
    `--fsize=${256 * 2 ** 20}`,
    `--data=${2 ** 30}`,
    '--cpu=3600',
  ]
}

/** The top-level folders of a system: links into `/usr` on most of them by now. */
const systemFolders = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']
const systemFiles = ['/etc/ld.so.cache', '/etc/ld.so.conf', '/etc/ld.so.conf.d', '/etc/alternatives']
export const tmpfsBytes = 64 * 2 ** 20
export const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', LANG: 'C.UTF-8' }

function bubblewrapped(bwrap: string, version: readonly number[], files: readonly BoundFile[]): string[] {
  const atLeast = (minor: number): boolean => (version[0] ?? 0) > 0 || (version[1] ?? 0) >= minor
  return [
    bwrap,
    ...['--unshare-user', '--unshare-all', '--die-with-parent', '--new-session', '--hostname', 'sandbox'],
    ...(atLeast(8) ? ['--disable-userns'] : []),
    ...(atLeast(5) ? ['--clearenv'] : []),
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--ro-bind', '/usr', '/usr'],
    ...systemFolders.flatMap((path) => {
      if (!existsSync(path)) return []
      return lstatSync(path).isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path]
    }),
    ...systemFiles.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...(atLeast(7) ? ['--size', String(tmpfsBytes)] : []),
    ...['--tmpfs', '/tmp'],
    ...files.flatMap(({ path, write }) => [write ? '--bind' : '--ro-bind', path, path]),
    ...['--remount-ro', '/', '--chdir', '/tmp'],
  ]
}

function unshared(unshare: string, files: readonly BoundFile[]): string[] {
  const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--net', '--ipc', '--uts', '--cgroup']
  const script = unshareScript({ systemFolders, systemFiles, environment, tmpfsBytes, files })
  return [unshare, ...namespaces, '--fork', '--kill-child=KILL', '--', '/bin/sh', '-c', script, 'sandbox']
}

const run = promisify(execFile)

/** Null when a program really runs in it. */
async function tried(sandbox: Sandbox): Promise<string | null> {
  const [program, ...args] = sandbox.confine(['true'], [])
  try {
    await run(program!, args, { timeout: 10_000, env: environment })
    return null
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    return (stderr?.trim() || message).split('\n')[0]!.slice(0, 200)
  }
}

async function versionOf(bwrap: string): Promise<readonly number[]> {
  try {
    const { stdout } = await run(bwrap, ['--version'], { timeout: 10_000 })
    return (/(\d+)\.(\d+)/.exec(stdout)?.slice(1) ?? []).map(Number)
  } catch {
    return [] // it will be found wanting when it is tried
  }
}

function none(reason: string, what: string): NoSandbox {
  return {
    kind: 'none',
    reason: `no program can be confined here (${reason})`,
    hint: `install ${what}, and allow unprivileged user namespaces: apt-get install ${what}`,
  }
}
