import { watch } from 'node:fs'
import { sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const settleMs = 150
const resyncMs = 15_000

/**
 * Resolves each time a repository may have changed, or after a while anyway: what woke the loop only decides how soon it
 * looks. Ends when `signal` aborts.
 */
export async function* wakeups(directory: string, signal: AbortSignal): AsyncGenerator<'change' | 'resync'> {
  let changed: (() => void) | null = null
  const watcher = watch(directory, { recursive: true, signal }, (_event, name) => {
    if (name === null || concerns(name)) changed?.()
  })
  // A watch that breaks (a folder replaced, no handles left) costs speed alone: the resync goes on.
  watcher.on('error', () => watcher.close())
  while (!signal.aborted) {
    const waiting = new AbortController()
    const stop = (): void => waiting.abort()
    signal.addEventListener('abort', stop, { once: true })
    let woken = false
    changed = () => {
      woken = true
      waiting.abort()
    }
    await pause(resyncMs, waiting.signal)
    changed = null
    signal.removeEventListener('abort', stop)
    if (signal.aborted) return
    // An editor writes in several steps: look once it is done.
    if (woken) await pause(settleMs, signal)
    if (!signal.aborted) yield woken ? 'change' : 'resync'
  }
}

function concerns(name: string): boolean {
  const [first] = name.split(sep)
  return first === 'tenants' || (first ?? '').startsWith('fibric.')
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
  }
}
