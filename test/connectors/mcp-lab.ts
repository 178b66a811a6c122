import type { Behaviour } from '../support/provider.ts'
import { answerOf, toolNames } from './mcp-answers.mjs'

/** What a tool of a remote server does; null: the request gets no answer. */
export interface RemoteTools {
  readonly does: (name: string, args: { readonly [name: string]: unknown }) => Promise<unknown>
  readonly tools: () => readonly string[]
  /** How answers to calls are carried. */
  readonly stream: () => boolean
}

/** A remote MCP server as the behaviour of a provider: sessions, pages, JSON or an event stream that stays open. */
export function speaksMcp({ does, tools, stream }: RemoteTools): Behaviour {
  return async ({ method, headers, body }, response) => {
    if (method === 'DELETE') return void response.writeHead(200).end()
    const message = JSON.parse(body) as { id?: unknown; method: string }
    if (message.method !== 'initialize' && headers['mcp-session-id'] === undefined) {
      return void response.writeHead(400).end()
    }
    if (message.id === undefined) return void response.writeHead(202).end()
    const answer = JSON.stringify(await answerOf(message, does, [...tools()]))
    const session = { 'mcp-session-id': 'session-1' }
    if (!stream()) {
      response.writeHead(200, { 'content-type': 'application/json', ...session }).end(answer)
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', ...session })
    response.write(
      ': hello\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\n',
    )
    response.write(`id: 7\ndata: ${answer}\n\n`)
  }
}

/** The digest that the lab's tools have: what a person would have looked at and written down. */
export { toolNames }

export const mcpTools = `
    text.say: {effect: idempotent, entityKey: "text:\${args.text}", input: &input {type: object, properties: {text: {type: string}, path: {type: string}, port: {type: integer}}, additionalProperties: false}, output: {type: object, properties: {said: {type: string}}, required: [said]}, mcp: {tool: say}}
    text.tell: {effect: idempotent, input: *input, mcp: {tool: say, args: {text: "told: \${args.text}", path: "\${args.path}"}}}
    text.refuse: {effect: blind, input: *input, mcp: {tool: refuse}}
    text.weigh: {effect: blind, input: *input, outcome: {failed: "response.body.isError"}, mcp: {tool: refuse}}
    text.err: {effect: blind, input: *input, mcp: {tool: error}}
    text.hang: {effect: blind, input: *input, mcp: {tool: hang, timeout: 1s}}
    text.crash: {effect: blind, input: *input, mcp: {tool: crash}}
    text.flood: {effect: blind, input: *input, mcp: {tool: flood}}
    text.reach: {effect: idempotent, input: *input, mcp: {tool: reach}}
    text.write: {effect: idempotent, input: *input, mcp: {tool: write}}
    text.change: {effect: blind, input: *input, mcp: {tool: secret}}
`

export const readTool = `
    text.read: {effect: read, input: *input, output: {type: object, properties: {said: {type: string}}, required: [said]}, mcp: {tool: say}}
`

export function mcpConnector(mcp: string, more = readTool, auth = '{kind: none}'): string {
  return `
apiVersion: fibric.io/v1
kind: Connector
metadata: {name: lab}
spec:
  version: 1.0.0
  auth: ${auth}
  runtime: mcp
  mcp: ${mcp}
  config: {type: object, properties: {port: {type: string}, folder: {type: string}}}
  tools:${mcpTools}${more}`
}
