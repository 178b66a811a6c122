import { Args, Flags } from '@oclif/core'
import { applyPlanned, exitCodeOf } from '../../controller/operations/apply.ts'
import { type Drifted, planHeal } from '../../controller/operations/drift.ts'
import { appliedJson } from '../../controller/operations/objects.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand, type EngineFlags, serverOf } from '../engine-command.ts'
import { planAndApplyOver } from '../remote-plan.ts'
import { type ScopeFlags, scopeFlags, scopeOf } from '../scope-flags.ts'
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
    if (flags.heal && serverOf(flags) !== null) return this.#healOver(flags, args.dir)
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

  #healOver(flags: ScopeFlags & EngineFlags, source: string): Promise<Outcome> {
    const wanted = { directory: this.repository(source, flags), ref: null, scope: scopeOf(flags), heal: true }
    return this.withDoor(flags, source, async (door) => {
      const answer = await planAndApplyOver(door, wanted, null, async () => true)
      const { applied, json } = answer!
      return { text: renderApplied(applied, paint(process.stdout)), json, exit: exitCodeOf(applied.outcomes) }
    })
  }
}
