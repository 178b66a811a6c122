import type { Envelope } from '../../controller/domain/envelope.ts'
import type { Json } from '../../controller/domain/json.ts'
import { Runner } from '../../controller/loop/deliveries.ts'
import type { Models } from '../../controller/loop/model.ts'
import { Recorder } from '../../controller/loop/recorder.ts'
import type { RunResult } from '../../controller/loop/run.ts'
import { allowScriptedModels, modelsOf } from '../../controller/operations/model-way.ts'
import { operatorsOf } from '../../controller/operations/operators.ts'
import { startWorld, type World } from '../executor/effects/world.ts'
import type { Files } from '../support/engine.ts'

/** A world with an operator that a model reasons for, and events that are brought to it one by one. */
export interface ModelWorld extends World {
  /** Brings an event to the operator; the same id again is the same delivery. */
  bring(payload: Json, id?: string, operator?: string): Promise<Brought>
  /** Puts other recorded answers in place, by an apply like any other. */
  answer(...entries: readonly ScriptEntry[]): Promise<void>
  calls(): Promise<CallShown[]>
}

export type Brought = RunResult | { readonly kind: 'dead'; readonly cause: string } | null

export interface ScriptEntry {
  readonly match?: string | readonly string[]
  readonly answer: Json
}

export interface CallShown {
  readonly question: string
  readonly model: string
  readonly state: string
  readonly reserved: string | null
  readonly cost: string | null
  readonly reason: string | null
  readonly prompt_digest: string
  readonly output_digest: string | null
}

export const modelYaml = (name: string, script: readonly ScriptEntry[], more = ''): string => `apiVersion: fibric.io/v1
kind: Model
metadata: {name: ${name}}
spec:
  provider: scripted
  modelId: ${name}-1
  hosting: {country: US}
  price: {inputPerMTok: 1, outputPerMTok: 2, currency: USD}
  script: ${JSON.stringify(JSON.stringify(script))}
${more}`

export const modelPolicyYaml = (name: string, spec: string): string =>
  `apiVersion: fibric.io/v1\nkind: ModelPolicy\nmetadata: {name: ${name}}\nspec: ${spec}\n`

const thinker = `apiVersion: fibric.io/v1
kind: Operator
metadata: {name: thinker}
spec:
  goal: Keep things in order
  trigger: {on: [thing.seen]}
  capabilities: [thing.read, thing.keyed, thing.idempotent]
  reason:
    model: {alias: reasoning, prompt: {file: prompts/thinker.md}, maxTokens: 512}
`

export async function startModelWorld(
  options: { readonly rules?: readonly string[]; readonly extra?: Files; readonly scripted?: boolean } = {},
): Promise<ModelWorld> {
  const world = await startWorld({
    ...(options.rules ? { rules: options.rules } : {}),
    extra: {
      'tenants/_platform/models/us.yaml': modelYaml('us', [{ answer: { actions: [] } }]),
      'tenants/_platform/policies/models.yaml': modelPolicyYaml('models', '{aliases: {reasoning: us}}'),
      'tenants/acme/operators/thinker.yaml': thinker,
      'tenants/acme/operators/prompts/thinker.md': 'Propose thing.keyed for things that are risky.\n',
      ...options.extra,
    },
  })
  const { engine, connector } = world
  if (options.scripted !== false) allowScriptedModels(engine)
  const models: Models = modelsOf(engine)
  const recorder = new Recorder(engine.database, engine.clock, null)
  const runner = new Runner(
    { connector, models, clock: engine.clock, signal: new AbortController().signal },
    engine.database,
    recorder,
  )
  let events = 0
  return {
    ...world,
    async bring(payload, id = `ev_${++events}`, name = 'thinker') {
      const operator = (await operatorsOf(engine, 'acme')).find((each) => each.name === name)!
      const event: Envelope = {
        event_id: id,
        reseller_id: null,
        tenant_id: operator.domain.tenant_id,
        workspace_id: null,
        source: 'shop',
        event_type: 'thing.seen',
        correlation_id: `co_${id}`,
        payload: payload as never,
        agent_id: null,
        session_id: null,
      }
      return runner.run(operator, { deliveryId: id, event, key: id, correlationId: event.correlation_id, depth: 0 })
    },
    async answer(...entries) {
      engine.write({ 'tenants/_platform/models/us.yaml': modelYaml('us', entries) })
      await engine.apply()
    },
    calls: () => engine.sql<CallShown>('select * from fibric.model_call order by serial'),
  }
}
