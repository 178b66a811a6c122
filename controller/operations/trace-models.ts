import type { Json } from '../domain/json.ts'
import { questionsOf } from '../loop/model.ts'
import { readEvidence } from '../store/evidence.ts'
import { type ModelCallRow, readModelCalls } from '../store/models.ts'
import type { RunRow } from '../store/runs.ts'
import type { Transaction } from '../store/tenancy.ts'

/** A call of a model as a trace tells it: what was asked and answered, by digest and in words. */
export interface TracedModelCall {
  readonly runId: string
  readonly call: ModelCallRow
  /** Null when it is gone, or in a trace of too many calls to tell them in full. */
  readonly prompt: Json
  readonly output: string | null
}

/** More than these are told by digest alone. */
const toldInFullMax = 20

/** Every call that was made for some runs, in the order they were made. */
export async function modelCallsOf(tx: Transaction, runs: readonly RunRow[]): Promise<TracedModelCall[]> {
  if (runs.length === 0) return []
  const runIds = new Map(
    runs.flatMap((run) => questionsOf(run.operator_id, run.delivery_id).map((question) => [question, run.run_id])),
  )
  const tenants = [...new Set(runs.map((run) => run.tenant_id))]
  const calls = await readModelCalls(tx, tenants, [...runIds.keys()])
  const wanted = calls.length > toldInFullMax ? [] : calls
  const digests = wanted.flatMap((call) => [call.prompt_digest, call.output_digest ?? []].flat())
  const contents = await readEvidence(tx, tenants, digests)
  return calls.map((call) => {
    const prompt = contents.get(call.prompt_digest)
    const output = call.output_digest === null ? undefined : contents.get(call.output_digest)
    return {
      runId: runIds.get(call.question)!,
      call,
      prompt: prompt === undefined ? null : (JSON.parse(prompt.toString('utf8')) as Json),
      output: output?.toString('utf8') ?? null,
    }
  })
}

export function modelCallJson({ runId, call, prompt, output }: TracedModelCall) {
  return {
    object: 'model_call' as const,
    id: call.call_id,
    run: runId,
    policy: call.policy,
    model: call.model,
    model_digest: call.model_digest,
    rating: call.rating,
    provider: call.provider,
    model_id: call.model_id,
    parameters: { max_tokens: call.max_tokens },
    secret: call.secret === null ? null : { name: call.secret, version: call.secret_version },
    state: call.state,
    reason: call.reason,
    stop: call.stop,
    input_tokens: call.input_tokens,
    output_tokens: call.output_tokens,
    currency: call.currency,
    reserved: call.reserved,
    cost: call.cost,
    prompt_digest: call.prompt_digest,
    output_digest: call.output_digest,
    prompt,
    output,
    created_at: call.created_at,
    settled_at: call.settled_at,
  }
}
