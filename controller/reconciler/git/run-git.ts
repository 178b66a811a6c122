import { spawn } from 'node:child_process'
import { FibricError } from '../../domain/errors.ts'

/** Where git shall look; both are passed explicitly, so git neither searches nor refuses a checkout of another user. */
export interface GitPlace {
  readonly gitDir: string
  readonly workTree: string | null
}

export interface GitAnswer {
  readonly stdout: Buffer
  readonly exit: number
}

export interface GitCallOptions {
  readonly input?: string
  /** Exit codes that are answers and not failures; `[0]` unless told. */
  readonly exits?: readonly number[]
}

/** Runs one read-only git command against a repository that may be hostile: nothing its configuration names is started. */
export function runGit(place: GitPlace, args: readonly string[], options: GitCallOptions = {}): Promise<GitAnswer> {
  const where = [`--git-dir=${place.gitDir}`, ...(place.workTree === null ? [] : [`--work-tree=${place.workTree}`])]
  return run([...where, ...harmless, ...args], place.workTree ?? place.gitDir, options)
}

/** Whether a working `git` is on the PATH; a launcher that only offers to install one is not. */
export async function hasGitBinary(): Promise<boolean> {
  try {
    return (await run(['version'], process.cwd(), {})).stdout.toString().startsWith('git version')
  } catch (error) {
    if (error instanceof FibricError) return false
    throw error
  }
}

// Every setting that makes read-only plumbing start a program or open a connection. Filters cannot be named in advance:
// no command that would run one (status, add, hash-object with a path) is used. `log.showSignature` and textconv belong
// to porcelain, which is not used either. The commit graph is a cache a repository could lie in.
const harmless = Object.entries({
  'core.fsmonitor': 'false',
  'core.hooksPath': '/dev/null',
  'core.commitGraph': 'false',
  'core.alternateRefsCommand': 'false',
  'core.sshCommand': 'false',
  'core.gitProxy': '',
  'core.askPass': '',
  'credential.helper': '',
  'diff.external': '',
  'diff.ignoreSubmodules': 'none',
  'gpg.program': 'false',
  'gpg.ssh.program': 'false',
  'gpg.x509.program': 'false',
  'protocol.allow': 'never',
  'submodule.recurse': 'false',
}).flatMap(([name, value]) => ['-c', `${name}=${value}`])

// The caller's GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE and the like would redirect the question. Where the person keeps
// their own configuration is the one thing taken over: it holds the line ending rules they commit with.
const kept = new Set(['GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM', 'GIT_CONFIG_NOSYSTEM'])

function environment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_') || kept.has(name))
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_GRAFT_FILE: '/dev/null',
    // A partial clone fetches what it lacks through whatever its configuration calls a remote.
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: 'none',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
  }
}

const bytesMax = 1024 * 1024 * 1024
const errorBytesMax = 64 * 1024
const timeoutMs = 120_000

function run(args: readonly string[], cwd: string, options: GitCallOptions): Promise<GitAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { cwd, env: environment(), stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs })
    const chunks: Buffer[] = []
    let bytes = 0
    let complaint = ''
    const fail = (message: string, cause?: unknown) => {
      reject(new FibricError('GIT', message, { cause, details: { command: commandOf(args) } }))
    }
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bytesMax) chunks.push(chunk)
      else child.kill('SIGKILL')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (complaint.length < errorBytesMax) complaint += chunk.toString()
    })
    // git may end before it has read all of its input; its exit code says why.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    child.on('error', (cause) => fail('`git` cannot be started', cause))
    child.on('close', (exit, signal) => {
      if (bytes > bytesMax) fail(`git ${commandOf(args)} answered with more than ${bytesMax} bytes`)
      else if (child.killed) fail(`git ${commandOf(args)} did not end within ${timeoutMs} ms`)
      else if (exit === null) fail(`git ${commandOf(args)} was ended by ${signal}`)
      else if (!(options.exits ?? [0]).includes(exit)) {
        const cause = complaint.trim() === '' ? undefined : new Error(complaint.trim())
        fail(`git ${commandOf(args)} failed: ${firstLine(complaint) || `exit code ${exit}`}`, cause)
      } else resolve({ stdout: Buffer.concat(chunks), exit })
    })
  })
}

function commandOf(args: readonly string[]): string {
  for (let at = 0; at < args.length; at++) {
    if (args[at] === '-c') at++
    else if (!args[at]!.startsWith('-')) return args[at]!
  }
  return ''
}

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? ''
  return line.replace(/^(fatal|error): /, '').slice(0, 300)
}
