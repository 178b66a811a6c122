import { Args } from '@oclif/core'
import type { TraceShown } from '../../controller/operations/effect-objects.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { paint } from '../views/paint.ts'
import { renderTrace } from '../views/trace.ts'

export default class Trace extends EngineCommand {
  static override summary = 'Tell the whole story of any id: event, run, plan, verdict, approval, effect, receipt.'
  static override examples = ['<%= config.bin %> trace ev_0190…', '<%= config.bin %> trace rc_0190…']
  static override args = {
    id: Args.string({ description: 'ev_…, run_…, pl_…, act_…, rc_… or a correlation id', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Trace)
    return this.withDoor(flags, '.', async (door) => {
      const story = await door.ask<TraceShown>('GET', '/v1/trace/{id}', { params: { id: args.id } })
      return { text: renderTrace(story, paint(process.stdout)), json: story }
    })
  }
}
