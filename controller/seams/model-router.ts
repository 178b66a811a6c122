import type { Address, Digest, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Usage } from '../domain/model-price.ts'

/**
 * The only way to a model.
 *
 * Promised by every implementation:
 * - A model that the policies in force do not admit is never called, whoever asks and whatever fails before it.
 * - The tenant is the domain whose row context the router opens. Nothing in a question names one.
 * - What a question may cost at most is reserved before the call, and settled after it. Where nobody knows whether the call
 *   was answered, the reservation stays.
 * - A question is answered once: asked again under its key, it gets the answer that was recorded, and nobody is called.
 * - Prompt, parameters, answer and usage are kept by digest before the answer is given.
 */
export interface ModelRouter {
  invoke(domain: ModelDomain, question: ModelQuestion, signal: AbortSignal): Promise<ModelResult>
}

/** Who asks, from the run that is under way. */
export interface ModelDomain {
  readonly tenant_id: TenantId
  readonly reseller_id: string | null
}

export interface ModelQuestion {
  /** Names the question for ever. */
  readonly key: string
  /** Null: the default model. */
  readonly alias: string | null
  readonly system: string
  readonly messages: readonly ModelMessage[]
  readonly maxTokens: number
}

export interface ModelMessage {
  readonly role: 'user' | 'assistant'
  readonly text: string
}

/** A model as receipts and rules name it. */
export interface ModelCited {
  readonly address: Address
  readonly digest: Digest
  /** Null: unrated. */
  readonly rating: string | null
}

export type ModelResult =
  | {
      readonly kind: 'answered'
      readonly text: string
      readonly model: ModelCited
      readonly callId: string
      readonly promptDigest: Digest
      readonly outputDigest: Digest
    }
  /** No policy serves it, no admitted model is left, or a budget is spent: asking again does not help before they change. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Every admitted model was asked, and none answered: it may be asked again. */
  | { readonly kind: 'unavailable'; readonly reason: string }

/**
 * One provider's wire format.
 *
 * Promised by every implementation, and shown by `test/seams/model-router.conformance.ts`:
 * - It sends exactly one request a call, through the `wire` it is given and through nothing else, and retries nothing.
 * - It never throws for anything that a provider does.
 * - It tells apart what was certainly not answered (and may be asked again), what was refused for good, and what nobody knows.
 * - It says what the provider says about tokens, and nothing where the provider says nothing.
 */
export interface ModelProvider {
  ask(target: ModelTarget, prompt: ModelPrompt, wire: ModelWire): Promise<ModelAnswer>
  /** The URL below which it asks, and nowhere else; null where it asks nobody, or cannot. */
  endpoint(target: ModelTarget): string | null
}

export interface ModelTarget {
  readonly modelId: string
  readonly region: string | null
  readonly baseUrl: string | null
  /** Recorded answers. */
  readonly script: string | null
  /** Fields of the model's credential; null where none is set. */
  readonly credential: ReadonlyMap<string, string> | null
  /** Which secret that is, for the record: never its value. */
  readonly secret: { readonly name: string; readonly version: number } | null
}

export type ModelPrompt = Pick<ModelQuestion, 'system' | 'messages' | 'maxTokens'>

export type ModelAnswer =
  | {
      readonly kind: 'answered'
      readonly text: string
      readonly usage: Usage | null
      /** Why it ended, in the provider's word: `end_turn`, `stop`, `length`. */
      readonly stop: string | null
    }
  | { readonly kind: 'not-done'; readonly reason: string; readonly retryAfterMs: number | null }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** The way out, for one call: bound to a tenant, a deadline and the destination that applied configuration names. */
export interface ModelWire {
  post(request: WireRequest): Promise<WireAnswer>
}

export interface WireRequest {
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: Buffer
}

export type WireAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: { readonly [name: string]: string }
      readonly body: Buffer
    }
  /** Nothing was written: a refused destination, no connection, a host that asked to be left alone. */
  | { readonly kind: 'not-sent'; readonly reason: string; readonly retryAfterMs: number | null }
  /** Something was written, and no whole answer came. */
  | { readonly kind: 'broken'; readonly reason: string }

/** What is kept of a question, canonical: a digest of it names the prompt. */
export function promptDocument(model: Pick<ModelTarget, 'modelId'>, provider: string, prompt: ModelPrompt): JsonObject {
  return {
    provider,
    modelId: model.modelId,
    system: prompt.system,
    messages: prompt.messages.map(({ role, text }) => ({ role, text })),
    parameters: { maxTokens: prompt.maxTokens },
  }
}
