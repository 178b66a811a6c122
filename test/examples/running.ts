import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bin, type Ran } from '../cli/engine/world.ts'

/** A process that goes on until it is interrupted. */
export interface Running {
  /** Whatever it has printed so far. */
  output(): string
  /** Resolves with all of it once it has printed this. */
  said(text: string): Promise<string>
  /** Interrupts it as Ctrl-C would; its exit code. */
  stop(): Promise<number | null>
}

/** Copies some folders and files into a new one, with some texts in their documents replaced. */
export function copyOf(
  sources: { readonly [name: string]: string },
  replace: { readonly [written: string]: string },
): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-example-')))
  for (const [name, source] of Object.entries(sources)) {
    cpSync(source, join(folder, name), { recursive: true, filter: (path) => !path.includes('/.fibric') })
  }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(ya?ml|json)$/.test(entry.name)) continue
    const file = join(entry.parentPath, entry.name)
    const text = readFileSync(file, 'utf8')
    const changed = Object.entries(replace).reduce((result, [written, real]) => result.replaceAll(written, real), text)
    if (changed !== text) writeFileSync(file, changed)
  }
  return folder
}

export function startProgram(program: string, argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Running {
  const child = spawn(program, argv, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  const closed = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return {
    output: () => output,
    said: async (text: string) => {
      for (const end = Date.now() + 120_000; !output.includes(text); await sleep(50)) {
        if (Date.now() > end || hasEnded(child)) throw new Error(`it never said \`${text}\`:\n${output}`)
      }
      return output
    },
    stop: async () => {
      if (!hasEnded(child)) child.kill('SIGINT')
      return closed
    },
  }
}

/** One command line, to its end. */
export function runCommand(argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv, stdin = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(bin, argv, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
    const ran = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        ran[name] += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (exit) => resolve({ ...ran, exit }))
    child.stdin.end(stdin)
  })
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
