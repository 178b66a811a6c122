import { canonicalJson } from '../../domain/canonical-json.ts'
import type { Address } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Database } from '../../store/connect.ts'
import { readEvidence } from '../../store/evidence.ts'
import { readModelCalls } from '../../store/models.ts'
import type { ModelDomain, ModelQuestion, ModelResult, ModelRouter } from '../model-router.ts'

/**
 * Answers what was answered before, and asks nobody. An answer counts for the very words that were asked: a prompt that
 * came out otherwise has none.
 */
export class RecordedRouter implements ModelRouter {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  invoke({ tenant_id: tenantId }: ModelDomain, question: ModelQuestion): Promise<ModelResult> {
    return this.#database.asWorker(
      [tenantId],
      async (tx) => {
        const calls = await readModelCalls(tx, [tenantId], [question.key])
        const call = calls.find(({ state }) => state === 'answered')
        if (!call?.output_digest) return refused('the run recorded no answer')
        const { prompt_digest: promptDigest, output_digest: outputDigest, call_id: callId } = call
        const contents = await readEvidence(tx, [tenantId], [promptDigest, outputDigest])
        const prompt = contents.get(promptDigest)
        const output = contents.get(outputDigest)
        if (!prompt || !output) return refused('the recorded answer is past its retention')
        if (!isSame(JSON.parse(prompt.toString('utf8')) as JsonObject, question))
          return refused('the run asked something else: the operator, its prompt or its tools changed since')
        const model = { address: call.model as Address, digest: call.model_digest, rating: call.rating }
        return { kind: 'answered', text: output.toString('utf8'), model, callId, promptDigest, outputDigest }
      },
      { access: 'read only' },
    )
  }
}

function isSame(prompt: JsonObject, { system, messages, maxTokens }: ModelQuestion): boolean {
  const asked = { system, messages: messages.map(({ role, text }) => ({ role, text })), parameters: { maxTokens } }
  const recorded = { system: prompt.system!, messages: prompt.messages!, parameters: prompt.parameters! }
  return canonicalJson(recorded) === canonicalJson(asked)
}

function refused(reason: string): ModelResult {
  return { kind: 'refused', reason }
}
