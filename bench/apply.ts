import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { insertFloor } from './floor.ts'
import { generateRepository } from './generate.ts'
import { machine, repeat, report, runCommand } from './measure.ts'

/**
 * Whole commands against the embedded PostgreSQL, fsync on: the first apply of a repository (every object created and
 * receipted), then plans and applies on top of it. The floor inserts as many rows, as large, into as many bare tables.
 */
async function bench(resources: number) {
  const root = mkdtempSync(join(tmpdir(), 'fibric-bench-'))
  const fibric = (args: readonly string[], exit = 0) => runCommand(root, args, exit)
  const edited = join(root, 'tenants/tenant-0000/operators/watch-0.yaml')
  const forgetParsed = (): void => rmSync(join(root, '.fibric', 'cache'), { recursive: true, force: true })
  try {
    generateRepository(root, resources)
    // Files younger than this are not trusted to stay as they are, and would be read again.
    await sleep(2500)
    fibric(['migrate'])
    const applyCold = fibric(['apply', '--auto-approve'])
    return {
      resources,
      applyCreates: applyCold,
      perCreateMs: Math.round((applyCold.wallMs / resources) * 1000) / 1000,
      floorInsertMs: await insertFloor(root, resources),
      planNoop: repeat(5, () => fibric(['plan'])),
      planNoopCold: repeat(3, () => fibric(['plan']), forgetParsed),
      planOneChange: repeat(
        3,
        () => fibric(['plan', '--detailed-exitcode'], 2),
        (index) => edit(edited, index),
      ),
      applyOneChange: repeat(
        3,
        () => fibric(['apply', '--auto-approve']),
        (index) => edit(edited, index + 10),
      ),
      applyNothing: repeat(3, () => fibric(['apply', '--auto-approve'])),
    }
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** Another annotation each time: a change of one object's digest. */
function edit(path: string, index: number): void {
  appendFileSync(path, `# ${index}\n`)
  const text = `---\napiVersion: fibric.io/v1\nkind: Parameter\nmetadata: {name: bench-${index}}\nspec: {value: "${index}"}\n`
  appendFileSync(path, text)
}

const sizes = process.argv.slice(2).map(Number)
const results = []
for (const size of sizes.length > 0 ? sizes : [1000, 10_000]) results.push(await bench(size))
report({ bench: 'apply', machine: machine(), results })
