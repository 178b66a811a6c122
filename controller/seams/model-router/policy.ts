import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { canonicalBytes } from '../../domain/canonical-json.ts'
import { parseDecimal, zero } from '../../domain/decimal.ts'
import { digestBytes } from '../../domain/digest.ts'
import { type Address, mintId, type TenantId } from '../../domain/ids.ts'
import type { Json } from '../../domain/json.ts'
import type { ModelBudget, ModelCandidate, ModelChoice } from '../../domain/model-choice.ts'
import { costOf, mostTokens, overBudget } from '../../domain/model-price.ts'
import type { Database } from '../../store/connect.ts'
import { readEvidence, writeEvidence } from '../../store/evidence.ts'
import {
  lockModelSpending,
  readModelCalls,
  readModelSpending,
  settleModelCall,
  writeModelCall,
} from '../../store/models.ts'
import type { Transaction } from '../../store/tenancy.ts'
import { type DurableExec, NotDone } from '../durable-exec.ts'
import {
  type ModelAnswer,
  type ModelDomain,
  type ModelProvider,
  type ModelQuestion,
  type ModelResult,
  type ModelRouter,
  type ModelTarget,
  type ModelWire,
  promptDocument,
} from '../model-router.ts'

/** What the policy router stands on. */
export interface PolicyRouterParts {
  readonly database: Database
  readonly clock: () => Date
  readonly durable: DurableExec
  readonly providers: { readonly [provider: string]: ModelProvider }
  /** What the applied policies say for a domain, by receipted content. */
  readonly choose: (tenantId: TenantId, alias: string | null) => Promise<ModelChoice>
  /** Where a model is reached, and with what. */
  readonly target: (tenantId: TenantId, model: ModelCandidate) => Promise<ModelTarget>
  /** A way out for one call to the destination named. */
  readonly wire: (
    tenantId: TenantId,
    target: ModelTarget,
    endpoint: string | null,
    deadlineMs: number,
    signal: AbortSignal,
  ) => ModelWire
  /** How long one call may take. */
  readonly callMs?: number
}

/** Model per tenant and alias, as the applied ModelPolicies say. */
export class PolicyRouter implements ModelRouter {
  readonly #parts: PolicyRouterParts
  readonly #callMs: number

  constructor(parts: PolicyRouterParts) {
    this.#parts = parts
    this.#callMs = parts.callMs ?? callMsDefault
  }

  async invoke(domain: ModelDomain, question: ModelQuestion, signal: AbortSignal): Promise<ModelResult> {
    const known = await this.#recorded(domain.tenant_id, question)
    if (known) return known
    const choice = await this.#parts.choose(domain.tenant_id, question.alias)
    if (choice.kind === 'none') return { kind: 'refused', reason: choice.reason }
    const reasons = choice.refused.map(({ reason }) => reason)
    let asked = 0
    let final = true
    for (let attempt = 0; attempt < attemptsMax && asked < choice.candidates.length; attempt++) {
      const ended = await this.#attempt(domain, question, choice, { attempt, asked }, signal)
      switch (ended.kind) {
        case 'answered':
          return (await this.#recorded(domain.tenant_id, question)) ?? lost
        case 'refused':
          return { kind: 'refused', reason: [...reasons, ended.reason].join('; ') }
        default:
          reasons.push(ended.reason)
          if (ended.replayed) continue
          asked++
          final &&= ended.kind === 'failed'
      }
    }
    if (asked > 0) return { kind: final ? 'refused' : 'unavailable', reason: reasons.join('; ') }
    return { kind: 'refused', reason: `it was asked ${attemptsMax} times without an answer: ${reasons.at(-1)}` }
  }

  async #attempt(
    domain: ModelDomain,
    question: ModelQuestion,
    choice: Chosen,
    { attempt, asked }: { readonly attempt: number; readonly asked: number },
    signal: AbortSignal,
  ): Promise<Attempt & { readonly replayed: boolean }> {
    // Every attempt has its own key, whichever model it asks.
    const key = `model ${question.key} ${attempt}`
    const place = { tenantId: domain.tenant_id, resellerId: domain.reseller_id, key }
    try {
      const once = await this.#parts.durable.once(place, () => this.#ask(domain, question, choice, asked, signal))
      if (once.kind === 'done') return { ...(once.result as unknown as Attempt), replayed: once.replayed }
      if (await this.#outlast(domain.tenant_id, question, once.beganAt, signal))
        return { kind: 'answered', replayed: true }
      return { kind: 'unknown', reason: 'an earlier attempt was lost with its process', replayed: true }
    } catch (error) {
      if (error instanceof Refusal) return { kind: 'refused', reason: error.message, replayed: false }
      if (error instanceof NotDone) return { kind: 'not-done', reason: error.message, replayed: false }
      throw error
    }
  }

  /**
   * Whoever began may still be at it: until a call can take no longer, its answer is looked for. An answer that was kept is
   * one, whatever became of the process after it. False when there is none.
   */
  async #outlast(tenantId: TenantId, question: ModelQuestion, beganAt: string, signal: AbortSignal): Promise<boolean> {
    const goneMs = Math.max(0, this.#parts.clock().getTime() - Date.parse(beganAt))
    const untilMs = performance.now() + Math.max(0, this.#callMs + marginMs - goneMs)
    for (;;) {
      if (await this.#recorded(tenantId, question)) return true
      const waitMs = Math.min(lookMs, untilMs - performance.now())
      if (waitMs <= 0) return false
      await sleep(waitMs, undefined, { signal })
    }
  }

  async #ask(
    domain: ModelDomain,
    question: ModelQuestion,
    choice: Chosen,
    nth: number,
    signal: AbortSignal,
  ): Promise<Json> {
    const model = choice.candidates[nth]!
    const provider = this.#parts.providers[String(model.spec.provider)]
    if (!provider) throw new Refusal(`this version knows no provider \`${String(model.spec.provider)}\``)
    const { target, call } = await this.#prepare(domain, question, choice, model)
    const deadlineMs = performance.now() + this.#callMs
    const wire = this.#parts.wire(domain.tenant_id, target, provider.endpoint(target), deadlineMs, signal)
    const answer = await provider.ask(target, question, wire)
    await this.#settle(domain, model, call, answer)
    if (answer.kind === 'answered') return { kind: 'answered' }
    const reason = `\`${model.name}\`: ${answer.reason}`
    if (answer.kind === 'not-done') throw new NotDone(reason)
    return { kind: answer.kind, reason }
  }

  /** Whatever fails in here, nothing was sent: the attempt did not happen. */
  async #prepare(domain: ModelDomain, question: ModelQuestion, choice: Chosen, model: ModelCandidate) {
    try {
      const target = await this.#parts.target(domain.tenant_id, model)
      return { target, call: await this.#reserve(domain, question, choice, model, target) }
    } catch (cause) {
      if (cause instanceof NotDone) throw cause
      throw new NotDone(`\`${model.name}\` could not be asked: ${(cause as Error).message}`, { cause })
    }
  }

  /** The prompt and the most it may cost, committed before anything is sent. */
  async #reserve(
    domain: ModelDomain,
    question: ModelQuestion,
    choice: Chosen,
    model: ModelCandidate,
    target: ModelTarget,
  ): Promise<string> {
    const { tenant_id, reseller_id } = domain
    const now = this.#parts.clock()
    const provider = String(model.spec.provider)
    const prompt = canonicalBytes(promptDocument(target, provider, question))
    const promptDigest = digestBytes(prompt)
    const most = mostTokens([question.system, ...question.messages.map(({ text }) => text)], question.maxTokens)
    const cost = costOf(model.spec, most)
    const callId = mintId('modelCall', now.getTime(), randomBytes(10))
    const rating = typeof model.spec.rating === 'string' ? model.spec.rating : null
    await this.#parts.database.asWorker([tenant_id], async (tx) => {
      if (choice.budgets.length > 0) await this.#fit(tx, tenant_id, choice.budgets, cost, now)
      const asked = { digest: promptDigest, purpose: 'prompt', bytes: prompt } as const
      await writeEvidence(tx, { tenant_id, reseller_id }, now.toISOString(), asked)
      await writeModelCall(tx, reseller_id, {
        tenant_id,
        call_id: callId,
        question: question.key,
        policy: choice.policy,
        model: model.address,
        model_digest: model.digest,
        rating,
        provider,
        model_id: target.modelId,
        max_tokens: question.maxTokens,
        secret: target.secret?.name ?? null,
        secret_version: target.secret?.version ?? null,
        prompt_digest: promptDigest,
        currency: cost?.currency ?? null,
        reserved: cost?.amount ?? null,
        created_at: now.toISOString(),
      })
    })
    return callId
  }

  async #fit(
    tx: Transaction,
    tenantId: TenantId,
    budgets: readonly ModelBudget[],
    cost: ReturnType<typeof costOf>,
    now: Date,
  ): Promise<void> {
    await lockModelSpending(tx, tenantId)
    for (const budget of budgets) {
      const since = new Date(now.getTime() - budget.perMs).toISOString()
      const text = cost === null ? '0' : await readModelSpending(tx, tenantId, cost.currency, since)
      const problem = overBudget(budget, cost, parseDecimal(text) ?? zero)
      if (problem !== null) throw new Refusal(problem)
    }
  }

  async #settle(
    { tenant_id, reseller_id }: ModelDomain,
    model: ModelCandidate,
    callId: string,
    answer: ModelAnswer,
  ): Promise<void> {
    const now = this.#parts.clock().toISOString()
    const answered = answer.kind === 'answered' ? answer : null
    const output = answered ? Buffer.from(answered.text.toWellFormed()) : null
    const outputDigest = output ? digestBytes(output) : null
    const usage = answered?.usage ?? null
    await this.#parts.database.asWorker([tenant_id], async (tx) => {
      if (output && outputDigest) {
        const said = { digest: outputDigest, purpose: 'output', bytes: output } as const
        await writeEvidence(tx, { tenant_id, reseller_id }, now, said)
      }
      await settleModelCall(tx, {
        tenant_id,
        call_id: callId,
        state: states[answer.kind],
        output_digest: outputDigest,
        stop: answered?.stop ?? null,
        input_tokens: usage?.inputTokens ?? null,
        output_tokens: usage?.outputTokens ?? null,
        // A provider that says nothing about tokens may have charged all that was reserved.
        cost: usage === null ? null : (costOf(model.spec, usage)?.amount ?? null),
        reason: 'reason' in answer ? answer.reason : null,
        settled_at: now,
      })
    })
  }

  /** The answer that was kept of a question: the text by its digest, the first time like any other. */
  async #recorded(tenantId: TenantId, question: ModelQuestion): Promise<ModelResult | null> {
    return this.#parts.database.asWorker(
      [tenantId],
      async (tx) => {
        const calls = await readModelCalls(tx, [tenantId], [question.key])
        const call = calls.find(({ state }) => state === 'answered')
        if (!call?.output_digest) return null
        const { call_id: callId, prompt_digest: promptDigest, output_digest: outputDigest } = call
        const text = (await readEvidence(tx, [tenantId], [outputDigest])).get(outputDigest)?.toString('utf8')
        if (text === undefined) return lost
        const model = { address: call.model as Address, digest: call.model_digest, rating: call.rating }
        return { kind: 'answered', text, model, callId, promptDigest, outputDigest }
      },
      { access: 'read only' },
    )
  }
}

type Chosen = ModelChoice & { readonly kind: 'chosen' }

/** What one attempt came to, as it is recorded: no text. */
type Attempt =
  | { readonly kind: 'answered' }
  | { readonly kind: 'not-done' | 'failed' | 'unknown' | 'refused'; readonly reason: string }

const lost: ModelResult = { kind: 'refused', reason: 'the recorded answer is past its retention' }

/** A policy forbids the call: nothing was sent, and no other model is asked instead. */
class Refusal extends NotDone {}

const states = { answered: 'answered', 'not-done': 'released', failed: 'released', unknown: 'unknown' } as const

const callMsDefault = 120_000
/** Beyond the deadline of a call, for what its process still has to write. */
const marginMs = 2000
const lookMs = 250
/** Over all deliveries of one event. */
const attemptsMax = 16
