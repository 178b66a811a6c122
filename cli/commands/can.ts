import { Args, Flags } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import type { GateAction, Verdict } from '../../controller/domain/verdict.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { jsonObjectOf } from '../json-input.ts'
import { scopeFlags } from '../scope-flags.ts'
import { exitOf, renderVerdict } from '../views/verdicts.ts'

export default class Can extends EngineCommand {
  static override summary = 'May it, under the rules in force, and what would have to differ.'
  static override examples = [
    `<%= config.bin %> can order-risk order.hold --tenant acme --args '{"order_id": "1001", "reason": "risk"}'`,
  ]
  static override args = {
    proposer: Args.string({ description: 'an operator, or person:<address of a User>', required: true }),
    capability: Args.string({ description: 'such as order.hold', required: true }),
  }
  static override flags = {
    tenant: scopeFlags.tenant,
    args: Flags.string({ description: 'arguments, as JSON', default: '{}' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Can)
    const given = jsonObjectOf(flags.args, '--args')
    const { tenant } = flags
    if (tenant === undefined) throw new FibricError('USAGE', 'no tenant is named', { hint: 'name it: --tenant acme' })
    return this.withDoor(flags, '.', async (door) => {
      const verdict = await door.ask<Verdict & { action: GateAction }>('POST', '/v1/guardrails/can', {
        query: { tenant },
        body: { proposer: args.proposer, capability: args.capability, args: given },
      })
      const subject = `${args.proposer} ${args.capability} ${verdict.action.entity}`
      return {
        text: renderVerdict(subject, verdict),
        json: verdict,
        exit: exitOf(verdict),
      }
    })
  }
}
