// What a small MCP server answers, over whatever carries its messages. Plain JavaScript: it also runs alone, confined.

const tool = (name, annotations = {}) => ({
  name,
  description: `does ${name}`,
  inputSchema: { type: 'object', properties: { text: { type: 'string' } } },
  annotations,
})

export const toolNames = ['say', 'refuse', 'error', 'hang', 'crash', 'flood', 'reach', 'write', 'secret']

/** The answer to one message, or null where there is none. `does` carries tools out. */
export async function answerOf(message, does, tools = toolNames) {
  const { id, method, params } = message
  const result = (value) => ({ jsonrpc: '2.0', id, result: value })
  switch (method) {
    case 'initialize':
      return result({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: 'lab', version: '1' },
      })
    case 'tools/list': {
      // Two pages: a list is only whole at its end.
      const at = Number(params?.cursor ?? 0)
      const half = Math.ceil(tools.length / 2)
      const page = tools.slice(at, at + half).map((name) => tool(name, { readOnlyHint: name === 'write' }))
      return result({ tools: page, ...(at + half < tools.length && { nextCursor: String(at + half) }) })
    }
    case 'tools/call': {
      const said = await does(params.name, params.arguments ?? {})
      if (said === undefined) return null
      if (said.error) return { jsonrpc: '2.0', id, error: { code: -32602, message: said.error } }
      const { isError = false, structured, text = '' } = said
      return result({
        content: [{ type: 'text', text }],
        isError,
        ...(structured && { structuredContent: structured }),
      })
    }
    default:
      return id === undefined ? null : { jsonrpc: '2.0', id, error: { code: -32601, message: 'no such method' } }
  }
}
