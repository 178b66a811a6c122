import { watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchBelow } from './watch-folders.ts'

const settleMs = 150
/** How soon it is looked anyway after a change; twice as long once nothing was heard of since. */
const resyncMs = 60_000
const resyncMsMax = 120_000

/**
 * Yields each time a repository may have changed, or after a while anyway: what woke the loop only decides how soon it
 * looks. It watches from the moment of the call, so that a change during a pass is followed by another pass. Ends when
 * `signal` aborts.
 */
export function wakeups(directory: string, signal: AbortSignal): AsyncGenerator<'change' | 'resync'> {
  const changes = new Changes()
  watchRepository(directory, signal, () => changes.note())
  return wake(changes, signal)
}

async function* wake(changes: Changes, signal: AbortSignal): AsyncGenerator<'change' | 'resync'> {
  let waitMs = resyncMs
  while (!signal.aborted) {
    const woken = await changes.wait(waitMs, signal)
    waitMs = woken ? resyncMs : Math.min(waitMs * 2, resyncMsMax)
    // An editor writes in several steps: look once it is done.
    if (woken) await pause(settleMs, signal)
    changes.forget()
    if (!signal.aborted) yield woken ? 'change' : 'resync'
  }
}

/** Remembers that something changed until somebody looks. */
export class Changes {
  #noted = false
  #waiting: AbortController | null = null

  note(): void {
    this.#noted = true
    this.#waiting?.abort()
  }

  forget(): void {
    this.#noted = false
  }

  async wait(milliseconds: number, signal: AbortSignal): Promise<boolean> {
    if (this.#noted) return true
    this.#waiting = new AbortController()
    await pause(milliseconds, AbortSignal.any([signal, this.#waiting.signal]))
    this.#waiting = null
    return this.#noted
  }
}

/** The files beside `tenants/` one by one, and everything below it: the rest of a repository may be large. */
function watchRepository(directory: string, signal: AbortSignal, changed: () => void): void {
  // It aborts no second time: what began to watch now would never end.
  if (signal.aborted) return
  const tenants = join(directory, 'tenants')
  let stop = watchBelow(tenants, changed)
  signal.addEventListener('abort', () => stop(), { once: true })
  try {
    const watcher = watch(directory, { signal }, (_event, name) => {
      if (name === 'tenants' && !signal.aborted) {
        // The folder was made, replaced or taken away: what watched the old one is deaf.
        stop()
        stop = watchBelow(tenants, changed)
      }
      if (name === null || name === 'tenants' || name.startsWith('fibric.')) changed()
    })
    watcher.on('error', () => watcher.close())
  } catch {
    // A watch that cannot be kept costs speed alone: the resync finds what happens there.
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
  }
}
