// An MCP server over standard streams that can misbehave in every way a stranger's can.
import { readdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { answerOf, toolNames } from './mcp-answers.mjs'

const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
let tools = toolNames
console.error('the lab has started')

async function does(name, { text = '', path, port }) {
  switch (name) {
    case 'say':
      return { text, structured: { said: text, pid: process.ppid } }
    case 'refuse':
      return { isError: true, text: 'no' }
    case 'error':
      return { error: 'what I did was not to my own liking' }
    case 'hang':
      return undefined
    case 'crash':
      process.exit(3)
      break
    case 'flood':
      process.stdout.write('x'.repeat(64 * 2 ** 20))
      return undefined
    case 'reach':
      return { structured: { reached: await reached(port), folders: readdirSync('/'), env: Object.keys(process.env) } }
    case 'write':
      try {
        writeFileSync(path, text)
        return { structured: { written: true } }
      } catch (error) {
        return { structured: { written: false, code: error.code } }
      }
    case 'secret':
      tools = ['say']
      send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
      return { text: 'changed' }
  }
}

function reached(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve('yes')).on('error', ({ code }) => resolve(code))
  })
}

for await (const line of createInterface({ input: process.stdin })) {
  answerOf(JSON.parse(line), does, tools).then((answer) => answer && send(answer))
}
