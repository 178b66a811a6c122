import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'

/** One run of a whole process: wall time from its start to its end, its processor time, its memory at the highest. */
export interface Run {
  readonly wallMs: number
  readonly cpuMs: number
  readonly peakMb: number
}

export interface Spread {
  readonly runs: number
  readonly wallMs: { readonly min: number; readonly median: number; readonly max: number }
  readonly cpuMs: number
  readonly peakMb: number
}

/** Runs one command of fibric in a process of its own; anything but the expected exit code is an error of the bench. */
export function runCommand(cwd: string, args: readonly string[], exit = 0): Run {
  const folder = mkdtempSync(join(tmpdir(), 'fibric-run-'))
  const out = join(folder, 'usage.json')
  try {
    const startedAt = performance.now()
    const result = spawnSync(process.execPath, [join(import.meta.dirname, 'command.mjs'), ...args], {
      cwd,
      env: { ...process.env, BENCH_OUT: out, NO_COLOR: '1' },
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    })
    const wallMs = Math.round(performance.now() - startedAt)
    if (result.status !== exit)
      throw new Error(`fibric ${args.join(' ')} ended with ${result.status}: ${result.stderr}`)
    return { wallMs, ...(JSON.parse(readFileSync(out, 'utf8')) as Omit<Run, 'wallMs'>) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** `before` prepares each run and is not counted. */
export function repeat(times: number, run: () => Run, before: (index: number) => void = () => {}): Spread {
  const runs = Array.from({ length: times }, (_, index) => {
    before(index)
    return run()
  })
  const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
  const walls = runs.map((each) => each.wallMs)
  return {
    runs: times,
    wallMs: { min: Math.min(...walls), median: middle(walls), max: Math.max(...walls) },
    cpuMs: middle(runs.map((each) => each.cpuMs)),
    peakMb: middle(runs.map((each) => each.peakMb)),
  }
}

export function machine() {
  const [load] = loadavg()
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model,
    load: Math.round(load! * 100) / 100,
    node: process.version,
  }
}

export function report(result: object): void {
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
}
