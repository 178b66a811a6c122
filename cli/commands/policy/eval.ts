import { readFileSync } from 'node:fs'
import { Flags } from '@oclif/core'
import { FibricError } from '../../../controller/domain/errors.ts'
import type { Json } from '../../../controller/domain/json.ts'
import type { Verdict } from '../../../controller/domain/verdict.ts'
import type { Door, List } from '../../../controller/door/door.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { jsonOf } from '../../json-input.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderVerdict } from '../../views/verdicts.ts'

export default class PolicyEval extends EngineCommand {
  static override summary = 'Put actions through the gate, as the gate sees them, and print one verdict a line.'
  static override description =
    'Takes one JSON object a line: capability, connection, entity, value, tier, args, proposer {kind, name}. Nothing is reserved and nothing is written.'
  static override examples = ['<%= config.bin %> policy eval --tenant acme --action actions.ndjson --json']
  static override flags = {
    tenant: scopeFlags.tenant,
    action: Flags.string({ description: 'file of actions, or - for stdin', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(PolicyEval)
    const { tenant } = flags
    if (tenant === undefined) throw new FibricError('USAGE', 'no tenant is named', { hint: 'name it: --tenant acme' })
    const lines = readActions(flags.action)
    return this.withDoor(flags, '.', async (door) => {
      const verdicts = await evaluate(door, tenant, lines)
      const text = verdicts.map((verdict, index) => renderVerdict(`line ${index + 1}`, verdict)).join('\n')
      return { text, json: verdicts, jsonLines: true }
    })
  }
}

const batchSize = 1000

async function evaluate(door: Door, tenant: string, lines: readonly Json[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (let at = 0; at < lines.length; at += batchSize) {
    const asked = { query: { tenant }, body: { actions: lines.slice(at, at + batchSize) } }
    verdicts.push(...(await door.ask<List<Verdict>>('POST', '/v1/guardrails/evaluate', asked)).data)
  }
  return verdicts
}

function readActions(file: string) {
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new FibricError('USAGE', `\`${file}\` cannot be read`, { hint: 'give a file, or - for stdin', cause })
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length === 0) {
    throw new FibricError('USAGE', `\`${file}\` holds no action`, { hint: 'give one JSON object a line' })
  }
  return lines.map((line, index) => jsonOf(line, `line ${index + 1}`))
}
