import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { killAtEveryPoint, type Scenario } from './every-point.ts'
import { first, second, third } from './repositories.ts'
import { type Session, temporaryFolder, writeRepository } from './world.ts'

const { folder, remove } = temporaryFolder()
const directories = { first: join(folder, 'first'), second: join(folder, 'second'), third: join(folder, 'third') }
const planFile = join(folder, 'change.plan')

beforeAll(() => {
  writeRepository(directories.first, first)
  writeRepository(directories.second, second)
  writeRepository(directories.third, third)
})

afterAll(remove)

const apply = (name: keyof typeof directories): Session => ({
  steps: [{ do: 'apply', directory: directories[name] }],
})
const pass = (name: keyof typeof directories): Session => ({
  steps: [{ do: 'pass', directory: directories[name] }],
})
const answer = (user: string, decision: 'approve' | 'veto'): Session => ({
  as: user,
  steps: [{ do: 'answer', entity: 'acme/Role/clerk', decision }],
})
const keys: Session = { steps: [{ do: 'keys', users: ['ana', 'ben'] }] }
const save: Session = { steps: [{ do: 'save', directory: directories.second, file: planFile }] }
const applyFile: Session = { steps: [{ do: 'apply file', file: planFile }] }
const heal: Session = { steps: [{ do: 'heal', directory: directories.first }] }

const scenarios: readonly (Scenario & { readonly name: string; readonly ends: object })[] = [
  {
    name: 'genesis',
    before: [],
    killed: apply('first'),
    after: [pass('first')],
    ends: { genesis: 'closed', waiting: [] },
  },
  {
    name: 'an application of everything at once',
    before: [apply('first')],
    killed: apply('second'),
    after: [apply('second')],
    ends: { waiting: ['acme: acme/Role/clerk held', 'acme: acme/User/dora planned'] },
  },
  {
    name: 'a saved plan',
    before: [apply('first'), save],
    killed: applyFile,
    after: [applyFile, apply('second')],
    ends: { waiting: ['acme: acme/Role/clerk held', 'acme: acme/User/dora planned'] },
  },
  {
    name: 'the approval that completes a quorum',
    before: [apply('first'), keys, apply('third'), answer('ana', 'approve')],
    killed: answer('ben', 'approve'),
    after: [pass('third'), answer('ben', 'approve'), pass('third')],
    ends: { waiting: [] },
  },
  {
    name: 'a veto',
    before: [apply('first'), keys, apply('third'), answer('ana', 'approve')],
    killed: answer('ben', 'veto'),
    after: [apply('third'), answer('ben', 'veto'), apply('third')],
    ends: { waiting: [] },
  },
  {
    name: 'a commit that drops what waits',
    before: [apply('first'), apply('third')],
    killed: apply('first'),
    after: [apply('first')],
    ends: { waiting: [] },
  },
  {
    name: 'a repair of what was changed by hand',
    before: [apply('first')],
    damage: [
      `update fibric.object set generation = generation + 7 where address = '_platform/ServiceTier/standard'`,
      `update fibric.object set digest = (select digest from fibric.object where address = 'acme/Parameter/gone')
        where address = 'acme/Parameter/colour'`,
      `delete from fibric.object where address = 'beta/Parameter/size'`,
      `delete from fibric.content where digest = (select digest from fibric.object where address = 'acme/Asset/count')`,
    ],
    killed: heal,
    after: [heal, apply('first')],
    ends: { waiting: [] },
  },
]

describe('killed at any point, and applied again', () => {
  test.each(scenarios)('$name ends as if nothing had happened', async ({ ends, ...scenario }) => {
    const { points, reference, failures } = await killAtEveryPoint(scenario)
    process.stdout.write(`${scenario.name}: ${points.length} points\n`)
    expect(reference).toMatchObject(ends)
    expect(failures).toEqual([])
    expect(new Set(points).size).toBe(points.length)
  })
})
