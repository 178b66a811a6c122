import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts'
import type { Usage } from '../../domain/model-price.ts'
import type { ModelAnswer, ModelPrompt, ModelProvider, ModelTarget, ModelWire } from '../model-router.ts'
import { shortened, unansweredOf } from './statuses.ts'

/** Any endpoint that speaks OpenAI's `/chat/completions`: OpenAI, Azure, vLLM, Ollama, a gateway. */
export const openai: ModelProvider = { ask, endpoint: ({ baseUrl }) => baseUrl }

async function ask(target: ModelTarget, prompt: ModelPrompt, wire: ModelWire): Promise<ModelAnswer> {
  if (target.baseUrl === null) return { kind: 'failed', reason: 'the model names no `baseUrl`' }
  const key = target.credential?.get('value')
  const answer = await wire.post({
    url: `${target.baseUrl.replace(/\/+$/, '')}/chat/completions`,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      // An endpoint on the own network, Ollama for one, may ask for no key.
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    body: Buffer.from(JSON.stringify(bodyOf(target, prompt))),
  })
  const body = answer.kind === 'answered' ? parsed(answer.body) : null
  const unanswered = unansweredOf(answer, messageOf(body))
  if (unanswered !== null) return unanswered
  const choice = isJsonObject(body) && Array.isArray(body.choices) ? body.choices[0] : undefined
  if (!isJsonObject(body) || !isJsonObject(choice) || !isJsonObject(choice.message)) {
    return { kind: 'unknown', reason: 'the answer cannot be read' }
  }
  const { content } = choice.message
  return {
    kind: 'answered',
    // A refusal or a call of a tool nobody offered has no content: it is an answer, and says nothing.
    text: typeof content === 'string' ? content : '',
    usage: usageOf(body.usage),
    stop: typeof choice.finish_reason === 'string' ? choice.finish_reason : null,
  }
}

function bodyOf({ modelId, baseUrl }: ModelTarget, { system, messages, maxTokens }: ModelPrompt): JsonObject {
  // OpenAI renamed it and refuses the old name for its newer models; most others know the old name alone.
  const limit = /\.(?:openai|openai\.azure)\.com$/.test(URL.parse(baseUrl!)?.hostname ?? '')
    ? 'max_completion_tokens'
    : 'max_tokens'
  return {
    model: modelId,
    messages: [{ role: 'system', content: system }, ...messages.map(({ role, text }) => ({ role, content: text }))],
    [limit]: maxTokens,
    stream: false,
  }
}

function parsed(body: Buffer): Json {
  try {
    return JSON.parse(body.toString('utf8')) as Json
  } catch {
    return null // what cannot be read says nothing, and is told by its caller
  }
}

function messageOf(body: Json): string | null {
  if (!isJsonObject(body)) return null
  return shortened(isJsonObject(body.error) ? body.error.message : body.error)
}

function usageOf(usage: Json | undefined): Usage | null {
  if (!isJsonObject(usage)) return null
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = usage
  return typeof inputTokens === 'number' && typeof outputTokens === 'number' ? { inputTokens, outputTokens } : null
}
