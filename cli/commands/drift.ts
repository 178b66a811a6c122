import { Args, Flags } from '@oclif/core'
import { applyPlanned, exitCodeOf } from '../../controller/operations/apply.ts'
import { type Drifted, planHeal } from '../../controller/operations/drift.ts'
import { appliedJson } from '../../controller/operations/objects.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { scopeFlags, scopeOf } from '../scope-flags.ts'
import { renderApplied } from '../views/apply.ts'
import { paint } from '../views/paint.ts'
import { renderTable } from '../views/table.ts'

export default class DriftCommand extends EngineCommand {
  static override summary =
    'Compare what is stored with what was last receipted; with --heal repair it, through the gate.'
  static override args = { dir: Args.string({ description: 'folder in the configuration repository', default: '.' }) }
  static override flags = {
    tenant: scopeFlags.tenant,
    target: scopeFlags.target,
    heal: Flags.boolean({ description: 'restore what was receipted' }),
    'detailed-exitcode': Flags.boolean({ description: 'exit 2 when something has drifted' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(DriftCommand)
    if (flags.heal) {
      return this.withEngine(flags, args.dir, async (engine, repository) => {
        const applied = await applyPlanned(engine, await planHeal(engine, repository, scopeOf(flags)), {
          confirmDeletes: null,
        })
        return {
          text: renderApplied(applied, paint(process.stdout)),
          json: appliedJson(applied),
          exit: exitCodeOf(applied.outcomes),
        }
      })
    }
    const query = { tenant: flags.tenant }
    return this.withDoor(flags, args.dir, async (door) => {
      const drifted = await door.list<Drifted>('/v1/config/drift', { query })
      const rows = drifted.data.map(({ address, drift }) => [address, drift])
      return {
        text: rows.length === 0 ? 'Nothing has drifted.' : renderTable(['ADDRESS', 'DRIFT'], rows),
        json: drifted,
        exit: flags['detailed-exitcode'] && rows.length > 0 ? 2 : 0,
      }
    })
  }
}
