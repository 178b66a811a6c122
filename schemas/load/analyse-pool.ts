import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { analyseFile, type FileSubject } from './analyse-file.ts'
import type { FileFacts } from './facts.ts'

export interface AnalysisRequest {
  readonly bytes: Buffer
  readonly subject: FileSubject
}

export interface Portion {
  readonly start: number
  readonly requests: readonly AnalysisRequest[]
}

export interface AnalysedPortion {
  readonly start: number
  readonly facts: readonly FileFacts[]
}

// A worker takes 200 ms to start and load the schemas, in which this thread parses about as many bytes.
const bytesWorthAWorker = 512 * 1024
// Small portions, so that neither thread waits long for the other at the end; two at once, so that the worker never waits.
const portionSize = 24
const portionsAhead = 2

/**
 * Analyses files on this thread and, when there is enough to do, on one more.
 *
 * Requests are added while files are still being read, so that the worker starts meanwhile. Parsing is what takes the
 * time: 10,000 files are 3 s on one thread.
 */
export class AnalysisPool {
  readonly #requests: AnalysisRequest[] = []
  #bytes = 0
  #worker: Worker | null = null

  add(request: AnalysisRequest): void {
    this.#requests.push(request)
    this.#bytes += request.bytes.length
    if (this.#worker === null && this.#bytes > bytesWorthAWorker && availableParallelism() > 1) {
      const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
      this.#worker = new Worker(new URL(`./analyse-worker.${extension}`, import.meta.url), {
        // Parsing makes garbage that dies young; a larger nursery only holds more memory.
        resourceLimits: { maxYoungGenerationSizeMb: 8 },
      })
    }
  }

  /** The facts of every request, in the order they were added. */
  async finish(): Promise<FileFacts[]> {
    const requests = this.#requests
    const results: FileFacts[] = new Array(requests.length)
    let next = 0
    const take = (): Portion | null => {
      if (next >= requests.length) return null
      const start = next
      next = Math.min(start + portionSize, requests.length)
      return { start, requests: requests.slice(start, next) }
    }
    const keep = ({ start, facts }: AnalysedPortion) => {
      for (const [offset, each] of facts.entries()) results[start + offset] = each
    }
    const there = this.#worker ? workThere(this.#worker, take, keep) : null
    await workHere(take, keep, there !== null)
    await there
    return results
  }
}

export function analysePortion({ start, requests }: Portion): AnalysedPortion {
  return { start, facts: requests.map(({ bytes, subject }) => analyseFile(Buffer.from(bytes), subject)) }
}

async function workHere(
  take: () => Portion | null,
  keep: (done: AnalysedPortion) => void,
  shared: boolean,
): Promise<void> {
  for (let portion = take(); portion; portion = take()) {
    keep(analysePortion(portion))
    // Lets the worker's answers in, which are what sends it more.
    if (shared) await new Promise((resolve) => setImmediate(resolve))
  }
}

function workThere(worker: Worker, take: () => Portion | null, keep: (done: AnalysedPortion) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0
    const send = () => {
      const portion = take()
      if (portion) {
        sent++
        worker.postMessage(portion)
      } else if (sent === 0) {
        worker.terminate().then(() => resolve(), reject)
      }
    }
    worker.on('error', reject)
    worker.on('message', (done: AnalysedPortion) => {
      sent--
      keep(done)
      send()
    })
    for (let ahead = 0; ahead < portionsAhead; ahead++) send()
  })
}
