import { type ChildProcess, spawn } from 'node:child_process'
import type { JSONRPCMessage, Transport } from './client.ts'
import { type Gates, Unwritten } from './gate.ts'

/** The longest message a program may send. */
export const messageBytesMax = 4 * 1_048_576
const stderrKept = 2000
const graceMs = 300

/** MCP over the standard streams of a confined program: one message a line. It lives as long as its session. */
export class StdioTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: Transport['onmessage']
  readonly #commandLine: readonly string[]
  readonly #gates: Gates
  #child: ChildProcess | null = null
  #chunks: Buffer[] = []
  #sizeBytes = 0
  #stderr = ''
  #users = 0

  constructor(commandLine: readonly string[], gates: Gates) {
    this.#commandLine = commandLine
    this.#gates = gates
  }

  /** The end of what the program said beside the protocol: why it went, as a rule. */
  get lastWords(): string {
    return this.#stderr.trim().split('\n').slice(-3).join(' · ')
  }

  start(): Promise<void> {
    const [program, ...args] = this.#commandLine
    return new Promise((resolve, reject) => {
      const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'], env: {}, cwd: '/' })
      this.#child = child
      child.once('spawn', resolve)
      child.once('error', (error) => {
        reject(error)
        this.#gone()
      })
      child.once('close', () => this.#gone())
      // Writing to a program that has gone is told by its end.
      child.stdin.on('error', (error) => this.onerror?.(error))
      child.stdout.on('data', (chunk: Buffer) => this.#received(chunk))
      child.stderr.on('data', (chunk: Buffer) => {
        this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-stderrKept)
      })
    })
  }

  send(message: JSONRPCMessage): Promise<void> {
    const gate = this.#gates.of(message)
    const line = `${JSON.stringify(message)}\n`
    const stdin = this.#child?.stdin
    if (!stdin?.writable) return Promise.reject(new Unwritten('the program has ended'))
    const refusal = gate?.mayWrite() ?? null
    if (refusal !== null) return Promise.reject(new Unwritten(refusal))
    gate?.leaving()
    stdin.write(line)
    return Promise.resolve()
  }

  /** While nobody waits for the program, it does not keep this process alive. */
  hold(): () => void {
    if (this.#users++ === 0) this.#reference('ref')
    return () => {
      if (--this.#users === 0) this.#reference('unref')
    }
  }

  async close(): Promise<void> {
    const child = this.#child
    if (child === null) return
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
    child.stdin?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    await ended
    clearTimeout(timer)
  }

  #received(chunk: Buffer): void {
    let rest = chunk
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = Buffer.concat([...this.#chunks, rest.subarray(0, end)]).toString('utf8')
      this.#chunks = []
      this.#sizeBytes = 0
      rest = rest.subarray(end + 1)
      this.#deliver(line)
    }
    this.#sizeBytes += rest.length
    if (this.#sizeBytes > messageBytesMax) {
      this.#chunks = []
      this.onerror?.(new Error(`a message is over ${messageBytesMax} bytes`))
      this.#child?.kill('SIGKILL')
    } else if (rest.length > 0) this.#chunks.push(rest)
  }

  #deliver(line: string): void {
    if (line.trim() === '') return
    try {
      this.onmessage?.(JSON.parse(line) as JSONRPCMessage)
    } catch (error) {
      // Whoever waits for an answer that cannot be read waits until the deadline, and is then in doubt.
      this.onerror?.(error as Error)
    }
  }

  #gone(): void {
    if (this.#child === null) return
    this.#child = null
    this.onclose?.()
  }

  #reference(how: 'ref' | 'unref'): void {
    const child = this.#child
    if (child === null) return
    child[how]()
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      const socket = stream as unknown as { ref?: () => void; unref?: () => void } | null
      socket?.[how]?.()
    }
  }
}
