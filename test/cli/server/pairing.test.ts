import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findCommands } from '../../../cli/manifest/load-config.ts'
import { parameter } from '../../operations/repositories.ts'
import { type Ran, root } from '../../support/cli.ts'
import { comparable, type Side, startSide } from './sides.ts'

/** Commands that work on files, processes and the root key of this machine. */
const local = [
  ...['autocomplete', 'break-glass', 'controller', 'diff', 'doctor', 'explain', 'fmt', 'graph', 'init', 'migrate'],
  ...['schema', 'up', 'validate', 'version'],
]

let sides: readonly [Side, Side]
/** What each side answered, line by line. */
const answered: [line: string, inProcess: Ran, overServer: Ran][] = []

beforeAll(async () => {
  sides = [await startSide('engine'), await startSide('server')]
})
afterAll(async () => {
  for (const side of sides) await side.close()
})

/** Runs lines on both sides; `{name}` stands for what `remembered` holds for that side. */
async function both(
  lines: readonly string[],
  remembered: readonly [Names, Names] = [{}, {}],
): Promise<(readonly [Ran, Ran])[]> {
  const ran = await Promise.all(
    sides.map((side, index) => side.run(lines.map((line) => wordsOf(filled(line, remembered[index]!))))),
  )
  const pairs = lines.map((line, index) => [line, ran[0]![index]!, ran[1]![index]!] as const)
  for (const [line, left, right] of pairs) answered.push([line, left, right])
  return pairs.map(([, left, right]) => [left, right])
}

type Names = { readonly [name: string]: string }

function filled(line: string, names: Names): string {
  return line.replaceAll(/<(\w+)>/g, (_all, name: string) => names[name] ?? '')
}

/** Words, of which those in single quotes may hold spaces. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
}

function json(ran: Ran): ReturnType<typeof JSON.parse> {
  return JSON.parse(ran.stdout)
}

const looks = [
  'state list',
  'state list --tenant acme -l team=none',
  'state list --tenant nobody',
  'state show acme/Parameter/colour',
  'state show acme/Parameter/none',
  'get parameters -o yaml',
  'get Parameter colour',
  'get Parameter none',
  'operators list',
  'connections list --tenant acme',
  'models list --tenant acme',
  'plans list',
  'plans list --all --limit 2',
  'plans show pl_none',
  'actions list --state held',
  'receipts list --limit 3',
  'receipts list',
  'receipts show rc_none',
  'trace nothing',
  'stop --list',
  'alerts list',
  'alerts list --tenant acme --all',
  'alerts acknowledge al_none --reason why',
  'keys list',
  'secrets list',
  'secrets list --tenant nobody',
  'secrets list --tenant acme',
  'events list',
  'events dead list',
  'drift',
  'drift --detailed-exitcode',
  'why-waiting acme/Parameter/colour',
  'models list',
  'models test none',
  'policy eval --tenant acme --action actions.ndjson',
  'can keeper thing.keyed --tenant acme --args {"id":"1"}',
  'can keeper thing.nothing --tenant acme',
  'plan',
]

const changes = [
  `events send thing.seen --tenant acme --payload '{"id": "1", "big": 12345678901234567890}'`,
  `events send thing.seen --tenant acme --payload '{"id": "1", "remove": false}' --key k1 --correlation c1`,
  `events send thing.seen --tenant acme --payload '{"id": "1", "remove": false}' --key k1 --correlation c1`,
  `events send thing.seen --tenant acme --payload '{"id": "2"}' --key k1 --correlation c1`,
  'events list --tenant acme --limit 1',
  'events list --correlation c1',
  'events tail --tenant acme --after 0 --limit 1',
  'events replay --tenant acme --to nobody --dry-run',
  'events replay --tenant acme --dry-run',
  'events replay --tenant acme --to keeper --to nobody --dry-run',
  'events dead redrive dl_none',
  'events dead redrive --all --tenant acme',
  'events dead redrive --all dl_none',
  'events dead list --reason run_died',
  `operators run keeper --tenant acme --payload '{"id": "3", "remove": false}'`,
  `operators run keeper --tenant acme --payload '{"id": "3", "remove": false}' --simulate`,
  'operators run keeper --tenant acme --simulate --run run_none',
  'operators run keeper --tenant acme --simulate --event ev_none',
  'plans simulate pl_none',
  `operators run keeper --payload '{"id": "4", "remove": true}'`,
  `operators run keeper --payload '{"id": "5", "remove": true}'`,
  `operators run keeper --payload '{"id": "6", "remove": true}'`,
  'operators run nobody',
  'operators pause keeper --reason why',
  'operators pause keeper --reason why',
  'operators list --tenant acme',
  'operators resume acme/Operator/keeper',
  'connections test main --tenant acme',
  'connections test none --tenant acme',
  `connections drill main --tenant acme --tool thing.keyed --args '{"id":"1"}' --read thing.read`,
  'models test',
  'models test nope --tenant acme',
  'connections test main',
  'stop --reason why',
  'stop --tenant acme --reason why',
  'stop --list',
  'start --reason over',
  'start --tenant acme --reason over',
  `stop --tenant acme --capability 'thing.*' --reason why`,
  `start --tenant acme --capability 'thing.*' --reason over`,
  'keys create --tenant acme --role ingest --name shop --expires-in 30d',
  'keys create --tenant acme --role nothing',
  'keys create --user ana --role read_only',
  'keys list',
  'keys list --tenant acme',
  'keys revoke key_none --tenant acme',
  'secrets rotate --tenant acme',
  'secrets delete none --tenant acme',
  'suspend acme/Parameter/colour --for 1h --reason why',
  'state list --tenant acme',
  'resume acme/Parameter/colour',
  'resume acme/Parameter/colour',
  'import --out restored --tenant acme',
  'import --out restored --tenant acme',
]

describe('every command', { timeout: 600_000 }, () => {
  test('answers the same by a server as by the engine of its own process', async () => {
    for (const side of sides) {
      writeFileSync(
        join(side.engine.directory, 'actions.ndjson'),
        '{"capability":"thing.keyed"}\n{"capability":"x.y"}\n',
      )
    }
    await both(looks)
    await both(looks.map((line) => `${line} --json`))
    await both(changes.map((line) => `${line} --json`))
    await both(changes.filter((line) => /list|tail|test|run keeper|stop|start/.test(line)))
    compare()
  })

  test('answers the same about what came of it', async () => {
    const ids = await idsOf()
    await both(
      [
        'actions list --tenant acme',
        'actions cancel <cancelled> --reason why',
        'actions cancel <cancelled> --reason why',
        'actions kill <vetoed> --reason why',
        'actions resolve <vetoed> --happened --reason why',
        'actions resolve <vetoed> --reason why',
        'actions undo <applied>',
        'why-waiting <approved>',
        'plans show <approved>',
        'plans simulate <approved>',
        'plans approve <approved> --reason why',
        'plans approve <approved>',
        'plans veto <vetoed> --reason why',
        'trace <approved>',
        'receipts show <receipt>',
        'events replay --tenant acme --to keeper --dry-run',
        'events replay --tenant acme --type thing.* --dry-run',
        'plans list --all',
      ].flatMap((line) => (/cancel|veto|approve/.test(line) ? [`${line} --json`] : [line, `${line} --json`])),
      ids,
    )
    compare()
  })

  test('plans and applies a folder the same, as a server is sent it', async () => {
    for (const side of sides) {
      side.engine.write({
        'tenants/acme/settings.yaml': parameter('colour', 'blue'),
        'tenants/acme/more.yaml': parameter('more', 1),
      })
    }
    await both([
      'plan',
      'plan --json',
      'plan --format markdown',
      'plan --detailed-exitcode --tenant acme',
      'plan --out saved.plan',
      'show saved.plan',
      'show saved.plan --json',
      'apply',
      'apply saved.plan --auto-approve',
      'apply saved.plan --auto-approve --json',
      'apply --auto-approve',
      'apply --auto-approve --json',
    ])
    for (const side of sides) side.engine.write({ 'tenants/acme/more.yaml': 'kind: Nothing\n' })
    await both(['plan', 'plan --json', 'apply --auto-approve --json'])
    compare()
  })

  test('repairs what has drifted the same', async () => {
    for (const { engine } of sides) {
      await engine.sql(`update fibric.object set generation = generation + 1 where address = 'acme/Parameter/colour'`)
    }
    await both(['drift', 'drift --heal', 'drift', 'drift --heal --json'])
    compare()
  })

  test('is paired above, or works on this machine alone and says so', async () => {
    const { ids } = await findCommands(root)
    const words = done
    const asked = ids.filter((id) => words.some((line) => `${line} `.startsWith(`${id.replaceAll(':', ' ')} `)))
    const readFromStdin = ['secrets:set']
    expect(ids.filter((id) => !asked.includes(id) && !local.includes(id) && !readFromStdin.includes(id))).toEqual([])
    const [, server] = sides
    const lines = local
      .filter((id) => id !== 'version')
      .map((id) => [...id.split(':'), '--server', 'http://127.0.0.1:1'])
    for (const [index, ran] of (await server.run(lines)).entries()) {
      expect([lines[index]![0], ran.exit]).toEqual([lines[index]![0], 64])
    }
  })
})

/** Lines that the two sides answered differently: none. */
function compare(): void {
  const pairs = answered.splice(0, answered.length)
  done.push(...pairs.map(([line]) => line))
  const differ = pairs.flatMap(([line, left, right]) => {
    const [here, there] = [shown(line, left, sides[0]), shown(line, right, sides[1])]
    return JSON.stringify(here) === JSON.stringify(there) ? [] : [{ line, here, there }]
  })
  expect(differ.map(({ line, here }) => ({ line, answer: here }))).toEqual(
    differ.map(({ line, there }) => ({ line, answer: there })),
  )
}
const done: string[] = []

function shown(line: string, ran: Ran, side: Side): object {
  const stdout = comparable(ran.stdout, side)
  // Whether an event has its position when it is answered is a matter of milliseconds.
  const settled = line.startsWith('events send') ? stdout.replace(/"position": (?:null|\d+)/, '') : stdout
  return { exit: ran.exit, stdout: settled, stderr: comparable(ran.stderr, side) }
}

async function idsOf(): Promise<[Names, Names]> {
  const pairs = await both(['actions list --tenant acme --json', 'receipts list --tenant acme --json'])
  const namesOf = (side: 0 | 1): Names => {
    const held = json(pairs[0]![side]).data.filter((each: { state: string }) => each.state === 'held')
    const receipts = json(pairs[1]![side]).data
    const applied = receipts.find(
      (each: { body: { outcome: string; capability: string } }) => each.body.capability === 'thing.keyed',
    )
    return {
      cancelled: held[0].id,
      approved: held[1].id,
      vetoed: held[2].id,
      receipt: receipts[0].id,
      applied: applied.body.action_id,
    }
  }
  return [namesOf(0), namesOf(1)]
}
