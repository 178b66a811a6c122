import { setTimeout as sleep } from 'node:timers/promises'
import { answers, hangsUp, type Provider } from '../support/provider.ts'

/** What really happened at a provider, whatever it answered. */
export interface Truth {
  /** How often each thing was done, by path. */
  readonly effects: ReadonlyMap<string, number>
  /** Writes that came in and are not answered yet. */
  underWay(): number
}

export interface Manners {
  /** Whether it hangs up after doing the work, asked of each write; `first`: of a key not seen before. */
  readonly lies: (first: boolean) => boolean
  readonly delayMs: () => number
}

/**
 * A provider that keeps what happened: a key it has seen is answered and does nothing again, a PUT of the same sets the
 * same. What a `-blind` path is sent happens every time: its key means nothing there.
 */
export function provideTruly({ on }: Pick<Provider, 'on'>, { lies, delayMs }: Manners): Truth {
  const effects = new Map<string, number>()
  const keys = new Set<string>()
  let underWay = 0
  on('*', async (request, response, socket) => {
    const { path, method, headers } = request
    if (method === 'GET') {
      return answers(200, { ok: effects.has(path), state: 'risky', etag: '"v1"' })(request, response, socket)
    }
    const key = `${path} ${headers['idempotency-key']}`
    const first = !keys.has(key)
    const known = path.endsWith('-blind') ? false : method === 'PUT' ? effects.has(path) : !first
    keys.add(key)
    if (!known) effects.set(path, (effects.get(path) ?? 0) + 1)
    underWay++
    await sleep(delayMs())
    underWay--
    return (lies(first) ? hangsUp : answers(200, { ok: true }))(request, response, socket)
  })
  return { effects, underWay: () => underWay }
}
