import { Args } from '@oclif/core'
import { traceJson } from '../../controller/operations/effect-objects.ts'
import { trace } from '../../controller/operations/trace.ts'
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
    return this.withEngine(flags, '.', async (engine) => {
      const story = await trace(engine, args.id)
      return { text: renderTrace(story, paint(process.stdout)), json: traceJson(story) }
    })
  }
}
