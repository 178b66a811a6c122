import { parentPort } from 'node:worker_threads'
import { analysePortion, type Portion } from './analyse-pool.ts'

/** The other thread of `analyse-pool.ts`: answers each portion with its facts. */
parentPort?.on('message', (portion: Portion) => parentPort?.postMessage(analysePortion(portion)))
