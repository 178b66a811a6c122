import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts'
import type { ModelAnswer, ModelPrompt, ModelProvider, ModelTarget } from '../model-router.ts'

/**
 * Answers from a recording: `[{match: TEXT | [TEXT, …], answer: TEXT or JSON}, …]`. The first entry all of whose texts
 * stand somewhere in the conversation answers; one without `match` answers everything. Asks nobody, so it costs nothing
 * but what the Model's price says.
 */
export const scripted: ModelProvider = {
  ask: async (target, prompt) => answerOf(target, prompt),
  endpoint: () => null,
}

function answerOf({ script }: ModelTarget, prompt: ModelPrompt): ModelAnswer {
  const entries = script === null ? 'it has none' : readScript(script)
  if (typeof entries === 'string') return { kind: 'failed', reason: `the script cannot be used: ${entries}` }
  const conversation = prompt.messages.map(({ text }) => text).join('\n')
  const entry = entries.find(({ match }) => match.every((text) => conversation.includes(text)))
  if (!entry) return { kind: 'failed', reason: 'no recorded answer fits the question' }
  // A fixed measure: recorded runs cost the same whenever they are run.
  const usage = {
    inputTokens: Math.ceil((prompt.system.length + conversation.length) / charactersAToken),
    outputTokens: Math.ceil(entry.text.length / charactersAToken),
  }
  return { kind: 'answered', text: entry.text, usage, stop: 'scripted' }
}

const charactersAToken = 4

interface Entry {
  readonly match: readonly string[]
  readonly text: string
}

function readScript(script: string): Entry[] | string {
  let value: Json
  try {
    value = JSON.parse(script) as Json
  } catch (error) {
    return (error as Error).message
  }
  if (!Array.isArray(value) || !value.every((entry) => isJsonObject(entry) && entry.answer !== undefined)) {
    return 'it is no list of objects with `answer`'
  }
  return (value as JsonObject[]).map(({ match, answer }) => ({
    match: match === undefined ? [] : [match].flat().map(String),
    text: typeof answer === 'string' ? answer : JSON.stringify(answer),
  }))
}
