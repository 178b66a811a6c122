import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { directoryTree, loadRepository, openParseCache } from '../schemas/load/index.ts'
import { generateRepository } from './generate.ts'

/** One validation in a process of its own: wall time from its start to its end, its processor time and its memory. */
interface Run {
  readonly wallMs: number
  readonly cpuMs: number
  readonly peakMb: number
  readonly resources: number
  readonly diagnostics: number
}

const runsWarm = 5

async function bench(resources: number): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'fibric-bench-'))
  try {
    const generated = generateRepository(root, resources)
    // Files younger than this are not trusted to stay as they are (see `directory-tree.ts`).
    await sleep(2500)
    const cold = run(root)
    const warm = Array.from({ length: runsWarm }, () => run(root)).sort((a, b) => a.wallMs - b.wallMs)
    appendFileSync(join(root, 'tenants/tenant-0000/operators/watch-0.yaml'), '# changed\n')
    const changed = run(root)
    const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model, load: loadavg()[0], node: process.version }
    const targets = { coldMs: 3000, warmMs: 300, changedMs: 500, peakMb: 250 }
    const results = { cold, warmMedian: warm[runsWarm >> 1], changed }
    process.stdout.write(`${JSON.stringify({ bench: 'validate', machine, generated, targets, results }, null, 2)}\n`)
  } finally {
    rmSync(root, { recursive: true })
  }
}

function run(root: string): Run {
  const startedAt = performance.now()
  const output = execFileSync(process.execPath, [import.meta.filename, '--once', root], { encoding: 'utf8' })
  return { wallMs: Math.round(performance.now() - startedAt), ...(JSON.parse(output) as Omit<Run, 'wallMs'>) }
}

async function once(root: string): Promise<void> {
  const cache = openParseCache(join(root, '.fibric', 'cache'))
  const { resources, diagnostics } = await loadRepository(directoryTree(root), { cache })
  const { user, system } = process.cpuUsage()
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024)
  const cpuMs = Math.round((user + system) / 1000)
  process.stdout.write(JSON.stringify({ cpuMs, peakMb, resources: resources.length, diagnostics: diagnostics.length }))
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { once: { type: 'string' } } })
if (values.once) await once(values.once)
else await bench(Number(positionals[0] ?? 10_000))
