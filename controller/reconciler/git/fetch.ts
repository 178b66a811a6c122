import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { FibricError } from '../../domain/errors.ts'

/** A branch of a repository elsewhere, and the working tree of ours that follows it. */
export interface RemoteBranch {
  readonly url: string
  readonly branch: string
  /** A folder of our own: whatever is in it is replaced by the branch. */
  readonly directory: string
  /** The value of an `Authorization` header for the repository's own host; null sends none. */
  readonly authorization: string | null
}

const timeoutMs = 120_000

/** Brings the working tree to the head of the branch, and answers its commit. History comes whole: authors are read off it. */
export async function fetchBranch(remote: RemoteBranch): Promise<string> {
  const { url, branch, directory } = remote
  refuseUnsound(url, branch)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const git = (args: readonly string[], protocols = 'none'): Promise<string> => run(remote, args, protocols)
  await git(['init', '--quiet'])
  const ours = `refs/remotes/fibric/${branch}`
  const range = `+refs/heads/${branch}:${ours}`
  await git(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--end-of-options', url, range], allowed)
  const sha = (await git(['rev-parse', '--verify', '--quiet', `${ours}^{commit}`])).trim()
  await git(['checkout', '--quiet', '--force', '--detach', sha])
  await git(['clean', '-ffdxq'])
  return sha
}

const allowed = 'https:http:ssh:file'

function refuseUnsound(url: string, branch: string): void {
  const isPath = url.startsWith('/')
  const isScp = /^[\w.-]+@[\w.-]+:[^:]+$/.test(url)
  const parsed = URL.parse(url)
  const isUrl = parsed !== null && ['https:', 'http:', 'ssh:', 'file:'].includes(parsed.protocol)
  if (isUrl && parsed.password !== '') {
    throw new FibricError('USAGE', 'the address of the repository holds a password', {
      hint: 'put it into a secret of _platform, and name that: --credential NAME',
    })
  }
  if (!isPath && !isScp && !isUrl) {
    throw new FibricError('USAGE', `\`${url}\` is no address of a git repository`, {
      hint: 'write it like https://git.example.com/acme/config.git',
    })
  }
  if (/^[\w][\w./-]{0,200}$/.test(branch) && !branch.includes('..')) return
  throw new FibricError('USAGE', `\`${branch}\` is no name of a branch`, { hint: 'name it like --branch main' })
}

/** The header is for one host, and redirects are refused: it goes nowhere else. It stands in no argument and no file. */
function configOf({ url, authorization }: RemoteBranch): { [name: string]: string } {
  const origin = URL.parse(url)?.origin
  return {
    'core.hooksPath': '/dev/null',
    'core.fsmonitor': 'false',
    'credential.helper': '',
    'http.followRedirects': 'false',
    'submodule.recurse': 'false',
    'fetch.fsckObjects': 'true',
    'gc.auto': '0',
    ...(authorization !== null && origin && { [`http.${origin}/.extraHeader`]: `Authorization: ${authorization}` }),
  }
}

function environmentOf(remote: RemoteBranch, protocols: string): NodeJS.ProcessEnv {
  const config = Object.entries(configOf(remote))
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('GIT_') && !name.startsWith('FIBRIC_'),
  )
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_DIR: join(remote.directory, '.git'),
    GIT_WORK_TREE: remote.directory,
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: protocols,
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
    GIT_CONFIG_COUNT: String(config.length),
    ...Object.fromEntries(
      config.flatMap(([name, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, name],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  }
}

const errorBytesMax = 4096

function run(remote: RemoteBranch, args: readonly string[], protocols: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, {
      cwd: remote.directory,
      env: environmentOf(remote, protocols),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
    })
    let said = ''
    let failure = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      if (failure.length < errorBytesMax) failure += chunk
    })
    child.on('error', (cause) => {
      reject(new FibricError('GIT', 'git cannot be started', { hint: 'install git on this machine', cause }))
    })
    child.on('close', (exit) => {
      if (exit === 0) resolve(said)
      else reject(failed(remote, args[0]!, exit, failure))
    })
  })
}

function failed({ url, branch }: RemoteBranch, command: string, exit: number | null, text: string): FibricError {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const said = lines.find((line) => line.startsWith('fatal: ')) ?? lines.at(-1) ?? ''
  const why = exit === null ? 'took too long' : `failed: ${said.replace(/^fatal: /, '')}`
  return new FibricError('GIT', `git ${command} of \`${branch}\` from \`${url}\` ${why}`, {
    hint: 'check the address, the branch and the credential',
  })
}
