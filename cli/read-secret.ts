import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { FibricError } from '../controller/domain/errors.ts'
import { valueBytesMax } from '../controller/operations/secrets.ts'

/** A secret value: asked for without echo on a terminal, else all of stdin without its last line break. Never an argument. */
export async function readSecretValue(what: string): Promise<Buffer> {
  const value = await (process.stdin.isTTY ? prompt(what) : readAll())
  if (value.length > 0) return value
  throw new FibricError('USAGE', `the value of ${what} is empty`, {
    hint: 'give it on stdin (… < key.txt), or type it where it is asked for',
  })
}

async function readAll(): Promise<Buffer> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    sizeBytes += chunk.length
    if (sizeBytes > valueBytesMax + 2) {
      throw new FibricError('USAGE', `stdin holds more than the ${valueBytesMax} bytes a secret may have`)
    }
  }
  const bytes = Buffer.concat(chunks)
  const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? -2 : -1) : undefined
  return bytes.subarray(0, end)
}

/** The terminal shows the question and nothing of the answer. */
function prompt(what: string): Promise<Buffer> {
  process.stderr.write(`Value of ${what}: `)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 })
  return new Promise((resolve, reject) => {
    terminal.once('line', (line) => {
      terminal.close()
      process.stderr.write('\n')
      resolve(Buffer.from(line, 'utf8'))
    })
    terminal.once('SIGINT', () => {
      terminal.close()
      process.stderr.write('\n')
      reject(new FibricError('USAGE', 'no value was given'))
    })
  })
}
