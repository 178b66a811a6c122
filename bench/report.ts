import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Run, Spread } from './measure.ts'
import { type EffectsResult, type EventsResult, effectRows, eventRows, row } from './report-loop.ts'

/**
 * Runs every bench, or those that are named, keeps what each printed in `bench/results/`, and writes `docs/performance.md` from
 * exactly that: `node bench/report.ts [bench …]`.
 */
interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly load: number
  readonly node: string
}

interface ValidateResult {
  readonly machine: Machine
  readonly results: { readonly cold: Run; readonly warmMedian: Run; readonly changed: Run }
}

interface ApplyResult {
  readonly machine: Machine
  readonly results: readonly {
    readonly resources: number
    readonly applyCreates: Run
    readonly floorInsertMs: number
    readonly planNoop: Spread
    readonly planNoopCold: Spread
    readonly planOneChange: Spread
    readonly applyOneChange: Spread
    readonly applyNothing: Spread
  }[]
}

interface Percentiles {
  readonly p50: number
  readonly p99: number
}

interface GateResult {
  readonly indexed_us: Percentiles
  readonly linear_us: Percentiles
}

const root = join(import.meta.dirname, '..')

/** Which benches to run; the others are reported as they were last measured here. None named: all. */
const named = new Set(process.argv.slice(2))

function run<Result>(name: string, args: readonly string[] = [], as = name): Result {
  const file = join(import.meta.dirname, 'results', `${as}.json`)
  if (named.size > 0 && !named.has(name) && existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Result
  process.stderr.write(`bench/${name}.ts ${args.join(' ')}\n`)
  const output = execFileSync(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  })
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true })
  writeFileSync(file, output)
  return JSON.parse(output) as Result
}

const validate = run<ValidateResult>('validate')
const apply = run<ApplyResult>('apply')
const gate = run<GateResult>('gate')
const effects = run<EffectsResult>('effects', ['5000', '1'])
const effects50 = run<EffectsResult>('effects', ['5000', '50'], 'effects-50')
const events: EventsResult = {
  ingest: run<EventsResult['ingest']>('ingest', ['1000', '5']),
  delivery: run<EventsResult['delivery']>('delivery', ['300', '5']),
  fairness: run<EventsResult['fairness']>('fairness'),
  rest: run<EventsResult['rest']>('rest'),
}
writeFileSync(join(root, 'docs', 'performance.md'), page(validate, apply, gate, effects, effects50, events))

function page(
  validated: ValidateResult,
  applied: ApplyResult,
  gated: GateResult,
  one: EffectsResult,
  fifty: EffectsResult,
  log: EventsResult,
): string {
  const { machine } = applied
  const small = applied.results.find((each) => each.resources === 1000)!
  const large = applied.results.find((each) => each.resources === 10_000)!
  const slope = (large.applyCreates.wallMs / 10_000 / (small.applyCreates.wallMs / 1000)).toFixed(2)
  const rows = [
    row(
      'validate 10,000 files, cold',
      seconds(validated.results.cold.wallMs),
      '≤ 3 s',
      validated.results.cold.wallMs <= 3000,
    ),
    row(
      'validate 10,000 files, warm',
      seconds(validated.results.warmMedian.wallMs),
      '≤ 0.3 s',
      validated.results.warmMedian.wallMs <= 300,
    ),
    row(
      'no-op plan, 10,000 resources, warm',
      seconds(large.planNoop.wallMs.median),
      '≤ 1.0 s',
      large.planNoop.wallMs.median <= 1000,
    ),
    row(
      'no-op plan, 10,000 resources, cold',
      seconds(large.planNoopCold.wallMs.median),
      '≤ 3.5 s',
      large.planNoopCold.wallMs.median <= 3500,
    ),
    row('its peak memory, warm', `${large.planNoop.peakMb} MB`, '≤ 250 MB', large.planNoop.peakMb <= 250),
    row('its peak memory, cold', `${large.planNoopCold.peakMb} MB`, '≤ 250 MB', large.planNoopCold.peakMb <= 250),
    row(
      'plan of one changed file in 10,000',
      seconds(large.planOneChange.wallMs.median),
      '≤ 0.5 s',
      large.planOneChange.wallMs.median <= 500,
    ),
    row(
      'apply 1,000 creates, a receipt each',
      seconds(small.applyCreates.wallMs),
      '≤ 1.5 s',
      small.applyCreates.wallMs <= 1500,
    ),
    row(
      'apply 10,000 creates, a receipt each',
      seconds(large.applyCreates.wallMs),
      '≤ 12 s',
      large.applyCreates.wallMs <= 12_000,
    ),
    row('cost of a create at 10,000 against 1,000', `× ${slope}`, 'linear: × 1', Number(slope) <= 1.25),
    row('apply one change in 10,000', seconds(large.applyOneChange.wallMs.median), 'none', null),
    row(
      'apply nothing, 10,000 resources',
      seconds(large.applyNothing.wallMs.median),
      'well under 1 s',
      large.applyNothing.wallMs.median <= 1000,
    ),
    row('gate, 1,000 rules, p50', `${gated.indexed_us.p50} µs`, '< 5 µs', gated.indexed_us.p50 < 5),
    row('gate, 1,000 rules, p99', `${gated.indexed_us.p99} µs`, '< 30 µs', gated.indexed_us.p99 < 30),
    ...effectRows(one, fifty),
    ...eventRows(log),
  ]
  return `# Performance

Measured by \`npm run bench\`, which writes this page; the raw output of a run lies in \`bench/results/\`. Times are of whole
processes from start to end, TypeScript run unbuilt, with the compile cache warm. The database is the embedded PostgreSQL,
fsync on, stopped and started again by every command as it is for a person in a terminal.

Machine: ${machine.cores} cores (${machine.cpu}), Node ${machine.node}, load ${machine.load} when the apply bench began,
${one.machine.load} when the one of effects did. Neighbours of the machine share its processors: the gate alone,
unchanged, took between 4.1 and 8.7 µs within a day, so ratios say more than numbers.

| what | measured | target | met |
|---|---|---|---|
${rows.join('\n')}

## Against a floor and a peer, in the same run

| what | ours | floor or peer | ratio |
|---|---|---|---|
| apply 1,000 creates / as many bare rows inserted | ${seconds(small.applyCreates.wallMs)} | ${seconds(small.floorInsertMs)} | ${ratio(small.applyCreates.wallMs, small.floorInsertMs)} |
| apply 10,000 creates / as many bare rows inserted | ${seconds(large.applyCreates.wallMs)} | ${seconds(large.floorInsertMs)} | ${ratio(large.applyCreates.wallMs, large.floorInsertMs)} |
| governed effects, proposal to receipt / jobs of two bare commits and one call | ${one.proposalToReceipt.perSecond}/s | ${one.floor.perSecond}/s | ${ratio(one.proposalToReceipt.perSecond, one.floor.perSecond)} |
| governed effects, event to receipt / the same jobs | ${one.eventToReceipt.perSecond}/s | ${one.floor.perSecond}/s | ${ratio(one.eventToReceipt.perSecond, one.floor.perSecond)} |
| governed effects, event to receipt / the same jobs, sixteen sharing a commit | ${one.eventToReceipt.perSecond}/s | ${one.floorShared.perSecond}/s | ${ratio(one.eventToReceipt.perSecond, one.floorShared.perSecond)} |
| gate p50, indexed / the same rules scanned one by one | ${gated.indexed_us.p50} µs | ${gated.linear_us.p50} µs | ${ratio(gated.indexed_us.p50, gated.linear_us.p50)} |

The floor writes four rows a resource, as large as ours, into bare tables, 200 to a transaction, on the same server. What an
apply does beyond it: start, read and validate the files, plan, gate, hash, and keep keys, checks and row security.

## Where the distance comes from

- **Cold validation and cold plans** are parsing: more than half of the processor time is the lexer and the parser of \`yaml\`, which
  are generators. A second thread takes half of the files, and its young heap is what lifts the peak memory.
- **One changed file** costs the checks between files: facts of all documents are read back from the parse cache (8.7 MB for 10,000) and
  references, offers and uniqueness are judged again over all of them. Writing is small already: what a run learned goes into a file of
  its own until that has grown to a tenth. Splitting the cache by tenant would not help; judging one tenant alone would.
- **A warm no-op plan** reads every pointer and compares it with its last receipt in the database (about 0.15 s for 10,000) while the
  files are listed; starting Node and the embedded server takes a fifth of a second.
- **Creates** spend a third of their time in four inserts a batch, most of it in the action's row (verdict, gate input and arguments
  as \`jsonb\`) and the receipt; a batch holds one domain, so a repository of many small tenants has many small batches.
- **The gate** evaluates about twenty candidates an action in this mix; refusals cost twice what grants do, for their near misses.
- **Effects** spend half of their time in PostgreSQL: seven rows are written an event (event, position, run, plan, action, key, receipt),
  two more come and go (lease, place in the queue), and the action's, about 2.7 kB with its verdict, gate input and attempt, is written
  anew by the settlement. With two processors for the loop, PostgreSQL and the provider, an event costs about 0.5 ms of the first and
  0.6 ms of the second; the floor's two updates and one call cost 0.75 ms of all three together.
- **WAL**: nearly half of an event's is the action's row, written twice, a fifth the receipt, the rest the other rows and their indexes.
- **An idle effect** is three durable commits one after the other (event, run with its claim, settlement), 1 to 3 ms each on this disk,
  a dozen short questions, and one call.
- **A controller at rest** asks about seven small questions a second, each for all domains at once (due effects, leases, new events, new
  receipts, whether anything was applied), and reads the folder it follows every two minutes. Of its memory 60 MB are Node itself and
  50 MB are in use; what a first apply took is given back when the process rests.

## How to read it

- The repository of the benches is made by \`bench/generate.ts\`: about fifty resources a tenant, one a file, with prompts and scripts.
- Medians of three to five runs; the first apply of a repository can only be measured once. These machines are shared: compare
  ratios, and repeat before believing a difference of less than a fifth.
`
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`
}

function ratio(ours: number, theirs: number): string {
  return `× ${(ours / theirs).toFixed(2)}`
}
