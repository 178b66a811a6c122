import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readMigrations } from '../../../controller/store/migrate.ts'
import { withConnection } from '../../../controller/store/pool.ts'
import { type ClonedDatabase, cloneDatabase } from '../../support/database.ts'
import { golden, repository, sortedRows, stable, World } from './world.ts'

/**
 * One repository's life at the terminal, each test going on where the one before it left off, by the real `bin/fibric`
 * in a process a command. What it prints is compared with the files under test/golden/cli/engine.
 */
let database: ClonedDatabase
let world: World
const tokens: { [user: string]: string } = {}

beforeAll(async () => {
  database = await cloneDatabase(await readMigrations())
  world = new World(database)
  world.write(repository)
})

afterAll(async () => {
  world.remove()
  await database.drop()
})

function prints(name: string, text: string): Promise<void> {
  return expect(stable(text)).toMatchFileSnapshot(join(golden, name))
}

/** Both forms of one command's output, which it has to print with the same exit code. */
async function printsBoth(name: string, exit: number, argv: readonly string[]): Promise<void> {
  await prints(`${name}.txt`, await world.expect(exit, argv))
  await prints(`${name}.json`, await world.expect(exit, [...argv, '--json']))
}

function byHand(sql: string): Promise<unknown> {
  return withConnection(database.superuser, 'fibric test', (connection) => connection.simple(sql))
}

const as = (user: string) => ({ FIBRIC_TOKEN: tokens[user]! })
const parameters = (values: { readonly [name: string]: string }) =>
  Object.entries(values)
    .map(
      ([name, value]) =>
        `apiVersion: fibric.io/v1\nkind: Parameter\nmetadata:\n  name: ${name}\nspec:\n  value: ${value}\n`,
    )
    .join('---\n')

describe('the first plan', () => {
  test('is shown with what lets it through, and is no failure', async () => {
    await world.expect(0, ['validate'])
    await printsBoth('plan-genesis', 0, ['plan'])
    await world.expect(2, ['plan', '--detailed-exitcode'])
  })

  test('is not applied where nobody can be asked', async () => {
    const { error } = await world.json<{ error: { code: string } }>(64, ['apply'])
    expect(error.code).toBe('USAGE')
  })

  test('is applied, and then there is nothing left to do', async () => {
    await prints('apply-genesis.txt', await world.expect(0, ['apply', '--auto-approve']))
    await printsBoth('plan-nothing', 0, ['plan', '--detailed-exitcode'])
    await printsBoth('apply-nothing', 0, ['apply', '--auto-approve'])
  })

  test('can be looked at from every side', async () => {
    await printsBoth('state-list', 0, ['state', 'list'])
    await printsBoth('state-show', 0, ['state', 'show', 'acme/Parameter/colour'])
    await printsBoth('get-table', 0, ['get', 'Parameter'])
    await prints(
      'get-yaml.txt',
      await world.expect(0, ['get', 'Parameter', 'colour', '--tenant', 'acme', '-o', 'yaml']),
    )
    await prints('receipts-list.txt', sortedRows(await world.expect(0, ['receipts', 'list', '--tenant', 'acme'])))
    const { data } = await world.json<{ data: { id: string; body: { entity_key: string } }[] }>(0, ['receipts', 'list'])
    const receipt = data.find(({ body }) => body.entity_key === 'acme/Parameter/colour')!
    await printsBoth('receipts-show', 0, ['receipts', 'show', receipt.id])
    await prints('plans-list-all.txt', sortedRows(await world.expect(0, ['plans', 'list', '--all'])))
  })
})

describe('a saved plan', () => {
  const changed = {
    'tenants/acme/parameters.yaml': [
      parameters({ colour: 'two' }),
      'apiVersion: fibric.io/v1\nkind: Parameter\nmetadata:\n  name: new-name\n  previously: old-name\nspec:\n  value: one\n',
      parameters({ fresh: 'one' }),
    ].join('---\n'),
  }

  test('shows an update, a rename, a creation and a deletion', async () => {
    world.write(changed)
    await printsBoth('plan-changes', 0, ['plan', '--out', 'change.plan'])
    await printsBoth('show', 0, ['show', 'change.plan'])
  })

  test('is refused when one byte of it was changed', async () => {
    const bytes = readFileSync(join(world.folder, 'change.plan'))
    const at = bytes.indexOf('two')
    bytes[at] = bytes[at]! ^ 1
    writeFileSync(join(world.folder, 'altered.plan'), bytes)
    await prints('apply-altered.txt', await world.expect(6, ['apply', 'altered.plan', '--auto-approve']))
    const { error } = await world.json<{ error: { code: string } }>(6, ['apply', 'altered.plan', '--auto-approve'])
    expect(error.code).toBe('PLAN_ALTERED')
  })

  test('is carried out as it was saved, wherever it lies', async () => {
    world.write({ 'elsewhere/.keep': '' })
    copyFileSync(join(world.folder, 'change.plan'), join(world.folder, 'elsewhere/copy.plan'))
    await prints('apply-file.txt', await world.expect(0, ['apply', 'elsewhere/copy.plan', '--auto-approve']))
    await world.expect(0, ['plan', '--detailed-exitcode'])
  })

  test('finds done what it did, and changes nothing a second time', async () => {
    const before = await world.json<{ data: unknown[] }>(0, ['receipts', 'list'])
    await prints('apply-file-again.txt', await world.expect(0, ['apply', 'change.plan', '--auto-approve']))
    const after = await world.json<{ data: unknown[] }>(0, ['receipts', 'list'])
    expect(after.data).toEqual(before.data)
  })

  test('is refused as stale when its object moved, and names what moved it', async () => {
    world.write({ 'tenants/beta/parameters.yaml': parameters({ size: 'medium' }) })
    await world.expect(0, ['plan', '--out', 'stale.plan'])
    world.write({ 'tenants/beta/parameters.yaml': parameters({ size: 'large' }) })
    await world.expect(0, ['apply', '--auto-approve'])
    await prints('apply-stale.txt', await world.expect(6, ['apply', 'stale.plan', '--auto-approve']))
    await prints('apply-stale.json', await world.expect(6, ['apply', 'stale.plan', '--auto-approve', '--json']))
  })
})

describe('a change that is refused', () => {
  test('by invalid files ends with 5, and writes nothing', async () => {
    world.write({ 'tenants/beta/broken.yaml': parameters({ broken: '[1' }) })
    await world.expect(5, ['validate'])
    await world.expect(5, ['plan'])
    const { error } = await world.json<{ error: { code: string } }>(5, ['apply', '--auto-approve'])
    expect(error.code).toBe('INVALID_CONFIGURATION')
    world.write({ 'tenants/beta/broken.yaml': null })
  })

  test('by a rule ends with 3 and a receipt, and is asked once', async () => {
    world.write({ 'tenants/acme/frozen.yaml': parameters({ frozen: 'never' }) })
    await printsBoth('plan-block', 0, ['plan'])
    await prints('apply-block.txt', await world.expect(3, ['apply', '--auto-approve']))
    await printsBoth('plan-refused', 0, ['plan'])
    await printsBoth('apply-refused', 3, ['apply', '--auto-approve'])
    world.write({ 'tenants/acme/frozen.yaml': null })
  })

  test('by a brake ends with 8, until the exact count confirms it', async () => {
    world.write({ 'tenants/acme/parameters.yaml': null })
    await printsBoth('plan-brake', 0, ['plan'])
    await prints('apply-brake.txt', await world.expect(8, ['apply', '--auto-approve']))
    await prints(
      'apply-brake.json',
      await world.expect(8, ['apply', '--auto-approve', '--confirm-deletes', '2', '--json']),
    )
    await prints(
      'apply-brake-confirmed.txt',
      await world.expect(0, ['apply', '--auto-approve', '--confirm-deletes', '3']),
    )
  })

  test('by protection ends with 8 whatever is confirmed', async () => {
    const file = 'tenants/beta/tenant.yaml'
    world.write({ [file]: repository[file]!.replace('deletionProtection: false', 'deletionProtection: true') })
    await world.expect(0, ['apply', '--auto-approve'])
    world.write({ 'tenants/beta': null })
    await prints('apply-protected.txt', await world.expect(8, ['apply', '--auto-approve', '--confirm-deletes', '2']))
    world.write({ [file]: repository[file]!, 'tenants/beta/parameters.yaml': parameters({ size: 'large' }) })
    await world.expect(0, ['apply', '--auto-approve'])
  })
})

describe('a change that is held', () => {
  const address = 'acme/Role/clerk'
  let actionId: string

  test('waits with what depends on it, and ends with 4', async () => {
    world.write({
      'tenants/acme/people.yaml': [
        'apiVersion: fibric.io/v1\nkind: Role\nmetadata:\n  name: clerk\nspec:\n  allow: [{verbs: [read], kinds: [Parameter]}]\n',
        'apiVersion: fibric.io/v1\nkind: User\nmetadata:\n  name: dora\nspec:\n  roles: [clerk]\n',
      ].join('---\n'),
    })
    await printsBoth('plan-hold', 0, ['plan'])
    await prints('apply-hold.txt', await world.expect(4, ['apply', '--auto-approve']))
    await printsBoth('apply-waiting', 4, ['apply', '--auto-approve'])
    await printsBoth('plans-list', 0, ['plans', 'list'])
    const { data } = await world.json<{ data: { action_id: string; entity_key: string }[] }>(0, ['plans', 'list'])
    actionId = data.find(({ entity_key }) => entity_key === address)!.action_id
    await printsBoth('plans-show', 0, ['plans', 'show', actionId])
  })

  test('is not approved by who proposed it', async () => {
    await prints('approve-own.txt', await world.expect(3, ['plans', 'approve', actionId]))
  })

  test('is carried out by the second of two people, each counted once', async () => {
    for (const user of ['ana', 'ben']) {
      const made = await world.json<{ secret: string }>(0, [
        'keys',
        'create',
        '--user',
        `_platform/User/${user}`,
        '--role',
        'operate',
      ])
      tokens[user] = made.secret
    }
    await prints(
      'approve-first.txt',
      await world.expect(4, ['plans', 'approve', actionId, '--reason', 'agreed'], as('ana')),
    )
    await prints('approve-twice.txt', await world.expect(1, ['plans', 'approve', actionId], as('ana')))
    await prints('approve-second.txt', await world.expect(0, ['plans', 'approve', actionId], as('ben')))
    await prints('approve-late.txt', await world.expect(1, ['plans', 'approve', actionId], as('ben')))
    await prints('plans-show-approved.txt', await world.expect(0, ['plans', 'show', actionId]))
    await world.expect(0, ['plan', '--detailed-exitcode'])
  })

  test('is known by a token that is right, and by no other', async () => {
    const { error } = await world.json<{ error: { code: string } }>(1, ['plans', 'list'], {
      FIBRIC_TOKEN: `${tokens.ana}x`,
    })
    expect(error.code).toBe('KEY_INVALID')
  })
})

describe('what was changed by hand', () => {
  test('in a tenant is shown, and put back when that is asked', async () => {
    await byHand(`update fibric.object set generation = generation + 1 where address = 'beta/Parameter/size'`)
    await printsBoth('drift', 0, ['drift'])
    await world.expect(2, ['drift', '--detailed-exitcode'])
    await printsBoth('plan-drift', 0, ['plan'])
    await prints('drift-heal.txt', await world.expect(0, ['drift', '--heal']))
    await prints('drift-nothing.txt', await world.expect(0, ['drift', '--detailed-exitcode']))
  })

  test('in the governance domain is put back by the next apply', async () => {
    await byHand(`delete from fibric.object where address = '_platform/ServiceTier/standard'`)
    await printsBoth('plan-heal', 0, ['plan'])
    await prints('apply-heal.txt', await world.expect(0, ['apply', '--auto-approve']))
    await world.expect(0, ['drift', '--detailed-exitcode'])
  })
})

describe('the whole of it', () => {
  test('is imported as YAML that plans nothing', async () => {
    await prints('import.txt', await world.expect(0, ['import', '--out', 'imported']))
    await world.expect(0, ['validate', 'imported'])
    await world.expect(0, ['plan', 'imported', '--detailed-exitcode'])
  })

  test('is destroyed by nothing less than the exact count', async () => {
    await prints('destroy-brake.txt', await world.expect(8, ['apply', '--destroy', '--auto-approve']))
  })

  test('of a tenant too, and a deletion that is held still holds', async () => {
    const scope = ['--destroy', '--tenant', 'acme']
    await prints('destroy-held-plan.txt', await world.expect(0, ['plan', ...scope]))
    const { counts } = await world.json<{ counts: { delete: number } }>(0, ['plan', ...scope])
    await world.expect(8, ['apply', ...scope, '--auto-approve'])
    const confirmed = [...scope, '--auto-approve', '--confirm-deletes', String(counts.delete)]
    await prints('destroy-held.txt', await world.expect(4, ['apply', ...confirmed]))
    await prints(
      'destroy.txt',
      await world.expect(0, ['apply', '--destroy', '--tenant', 'beta', '--auto-approve', '--confirm-deletes', '2']),
    )
    const { data } = await world.json<{ data: { address: string }[] }>(0, ['state', 'list'])
    expect(data.filter(({ address }) => address.startsWith('beta/'))).toEqual([])
  })
})
