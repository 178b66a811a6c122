import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export interface Ran {
  readonly stdout: string
  readonly stderr: string
  readonly exit: number | null
}

/** Runs one command line in a process of its own, without colour and without this machine's settings. */
export function fibric(argv: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return runNode([join(root, 'cli/start.mjs'), ...argv], cwd, '', environment)
}

/** Runs many command lines in one process. */
export async function fibricBatch(
  lines: readonly (readonly string[])[],
  cwd: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<Ran[]> {
  const { stdout, stderr } = await runNode(
    [join(root, 'test/support/cli-batch.mjs')],
    cwd,
    JSON.stringify(lines),
    environment,
  )
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as Ran[]
}

/** A folder with these files, removed by the caller. */
export function folderWith(files: { readonly [path: string]: string | Buffer }): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-cli-')))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  return folder
}

/** A copy of this repository's own configuration. */
export function copyOfTenants(): string {
  const folder = folderWith({})
  for (const name of ['tenants', 'fibric.yaml']) cpSync(join(root, name), join(folder, name), { recursive: true })
  return folder
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

function runNode(
  args: readonly string[],
  cwd: string,
  stdin: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env: { ...plainEnvironment(), ...environment } })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (exit) => resolve({ stdout, stderr, exit }))
    child.stdin.end(stdin)
  })
}

export function plainEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  const own = Object.fromEntries(Object.entries({ PATH, HOME, TMPDIR }).filter(([, value]) => value !== undefined))
  return { ...own, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
}
