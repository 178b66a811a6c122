import { parentPort } from 'node:worker_threads'
import { analyseFile } from './analyse-file.ts'
import type { AnalysisRequest } from './analyse-pool.ts'

/** The other thread of `analyse-pool.ts`: says when it is ready, then answers each portion with its facts. */
const port = parentPort
if (port) {
  port.on('message', ({ start, requests }: { start: number; requests: AnalysisRequest[] }) => {
    const facts = requests.map(({ bytes, subject }) => analyseFile(Buffer.from(bytes), subject))
    port.postMessage({ start, facts })
  })
  port.postMessage({ start: -1, facts: [] })
}
