import type { ExpressionNames } from '../domain/expression.ts'
import type { Digest, TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { Bound, EffectConnector } from '../executor/effects/connector.ts'
import { classOf, type Proposal } from '../executor/effects/propose.ts'
import type { ModelCited, ModelMessage, ModelRouter } from '../seams/model-router.ts'
import { type Misfit, quoted, readAnswer } from './model-answer.ts'
import { dataMessage, type OfferedTool, repairMessages, systemPrompt } from './model-prompt.ts'
import type { OperatorInForce } from './operators.ts'
import { SenseFailed } from './sense.ts'

/** How a run reaches models. */
export interface Models {
  readonly router: ModelRouter
  /** A file of the applied configuration, by its digest; null when its content is gone. */
  readonly readText: (tenantId: TenantId, digest: Digest) => Promise<string | null>
}

/** What a model was asked and what came of it, for the plan and the ledger: digests, and no text. */
export interface ModelEvidence {
  readonly model: ModelCited
  readonly calls: readonly { readonly id: string; readonly prompt: Digest; readonly output: Digest }[]
}

/** Says nothing of the run: it waits until some model answers, and is none of the deaths that end a run. */
export class ModelUnavailable extends SenseFailed {}

export type Reasoned =
  | {
      readonly kind: 'plan'
      readonly proposals: readonly Proposal[]
      readonly reasoning: string | null
      readonly evidence: ModelEvidence
    }
  | { readonly kind: 'rejected'; readonly cause: string; readonly evidence: ModelEvidence | null }

/** After the first answer. */
const repairsMax = 2
const maxTokensDefault = 2048
const dataBytesMax = 262_144

/**
 * What a model proposes of what was sensed. It has no tools, no credentials and no network: it is given texts and gives
 * one back, which counts for nothing until it reads as a plan of what was offered.
 */
export async function reasonByModel(
  models: Models,
  connector: EffectConnector,
  operator: OperatorInForce,
  names: ExpressionNames,
  deliveryId: string,
  signal: AbortSignal,
): Promise<Reasoned> {
  const spec = isJsonObject(operator.reason.model) ? operator.reason.model : {}
  const instructions = await promptOf(models, operator, spec.prompt)
  if (instructions === null) return rejected("the content of the operator's prompt is gone: apply it again")
  const tools = await offer(connector, operator)
  if (tools.length === 0) return rejected('none of its capabilities is an effect that a connection offers')
  const data = dataMessage(dataOf(names))
  const bytes = Buffer.byteLength(data.text)
  if (bytes > dataBytesMax) return rejected(`the event and what was sensed have ${bytes} bytes, over ${dataBytesMax}`)
  const goal = typeof operator.spec.goal === 'string' ? operator.spec.goal : null
  const system = systemPrompt({ operator: operator.name, goal, instructions, offered: tools.map(({ tool }) => tool) })
  const offered = new Map(tools.map(({ tool, misfit }) => [tool.capability, misfit]))
  const messages: ModelMessage[] = [data]
  const calls: ModelEvidence['calls'][number][] = []
  for (let repair = 0; ; repair++) {
    const answer = await models.router.invoke(
      operator.domain,
      {
        key: questionOf(operator.id, deliveryId, repair),
        alias: String(spec.alias),
        system,
        messages,
        maxTokens: typeof spec.maxTokens === 'number' ? spec.maxTokens : maxTokensDefault,
      },
      signal,
    )
    if (answer.kind === 'refused') return rejected(`no model may answer: ${answer.reason}`)
    if (answer.kind === 'unavailable') throw new ModelUnavailable(`no model answered: ${answer.reason}`)
    calls.push({ id: answer.callId, prompt: answer.promptDigest, output: answer.outputDigest })
    const evidence = { model: answer.model, calls }
    const read = readAnswer(answer.text, offered)
    if (read.kind === 'plan') return { ...read, evidence }
    if (repair === repairsMax) {
      const cause = `the model's answer was refused ${repair + 1} times, the last time because ${read.problems.join('; ')}`
      return { kind: 'rejected', cause, evidence }
    }
    messages.push(...repairMessages(answer.text, read.problems))
  }
}

/** What a run asks, by the delivery it is of: redelivered, it is the same question, and has its answer. */
export function questionOf(operatorId: string, deliveryId: string, repair: number): string {
  return `${operatorId} ${deliveryId} ${repair}`
}

/** Every question a delivery may have asked. */
export function questionsOf(operatorId: string, deliveryId: string): string[] {
  return Array.from({ length: repairsMax + 1 }, (_, repair) => questionOf(operatorId, deliveryId, repair))
}

async function promptOf(models: Models, operator: OperatorInForce, prompt: Json | undefined): Promise<string | null> {
  if (typeof prompt === 'string') return prompt
  const { file } = isJsonObject(prompt) ? prompt : {}
  return typeof file === 'string' ? models.readText(operator.domain.tenant_id, file as Digest) : null
}

/** The capabilities on the operator's list that are effects, and that exactly one connection offers. */
async function offer(
  connector: EffectConnector,
  operator: OperatorInForce,
): Promise<{ readonly tool: OfferedTool; readonly misfit: Misfit }[]> {
  const found = []
  for (const capability of operator.capabilities) {
    const bound = await connector.resolve(operator.domain.tenant_id, capability)
    if (bound.kind === 'unbound' || classOf(bound.tool) === 'read') continue
    const { description, input } = bound.tool
    const tool = {
      capability,
      description: typeof description === 'string' ? description : null,
      input: isJsonObject(input) ? input : noArguments,
    }
    found.push({ tool, misfit: (args: JsonObject) => undeclared(tool.input, args) ?? misfitOf(connector, bound, args) })
  }
  return found
}

const noArguments: JsonObject = { type: 'object', properties: {}, additionalProperties: false }

/** JSON Schema lets through what it does not name, unless told otherwise. A model is held to what is named. */
function undeclared(
  { properties, additionalProperties, patternProperties }: JsonObject,
  args: JsonObject,
): string | null {
  if (additionalProperties === true || isJsonObject(additionalProperties) || isJsonObject(patternProperties))
    return null
  const declared = isJsonObject(properties) ? properties : {}
  const unknown = Object.keys(args).find((name) => !Object.hasOwn(declared, name))
  return unknown === undefined ? null : `args: the value has the unknown field ${quoted(unknown)}`
}

function misfitOf(connector: EffectConnector, bound: Bound, args: JsonObject): string | null {
  const planned = connector.plan(bound, args)
  return 'problem' in planned ? planned.problem : null
}

/** What a model is told of the event: what it says, and nothing of whose it is. */
function dataOf({ event, now, ...sensed }: ExpressionNames): { [name: string]: Json } {
  const { event_type, source, payload } = isJsonObject(event as Json) ? (event as JsonObject) : {}
  const told =
    event === null ? null : { event_type: event_type ?? null, source: source ?? null, payload: payload ?? null }
  return { event: told, now: (now as Date).toISOString(), ...(sensed as { [name: string]: Json }) }
}

function rejected(cause: string): Reasoned {
  return { kind: 'rejected', cause, evidence: null }
}
