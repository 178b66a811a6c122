import { FibricError } from '../controller/domain/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../controller/domain/json.ts'

/** A JSON object given on the command line. */
export function jsonObjectOf(text: string, flag: string): JsonObject {
  const value = jsonOf(text, flag)
  if (isJsonObject(value)) return value
  throw new FibricError('USAGE', `${flag} is no JSON object`, { hint: `write it as ${flag} '{"order_id": "1001"}'` })
}

export function jsonOf(text: string, where: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    throw new FibricError('USAGE', `${where} is no JSON: ${(cause as Error).message.split('\n')[0]}`, {
      hint: "quote it for the shell: '{…}'",
      cause,
    })
  }
}
