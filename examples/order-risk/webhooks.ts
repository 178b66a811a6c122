import { createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const attemptsMax = 60

/**
 * Tells a webhook, at least once, like any shop: the raw bytes signed, and sent with the same delivery id once a second until
 * they are taken. Rejects with the last answer when they never are.
 */
export async function deliver(url: () => string, told: object, secret: string, signal: AbortSignal): Promise<void> {
  const body = Buffer.from(JSON.stringify(told))
  const headers = {
    'content-type': 'application/json',
    'x-shop-hmac-sha256': createHmac('sha256', secret).update(body).digest('base64'),
    'x-shop-delivery': randomUUID(),
  }
  let last = ''
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    try {
      const answer = await fetch(url(), { method: 'POST', headers, body, signal })
      if (answer.ok) return
      last = `${answer.status} ${await answer.text()}`
      // A signature that is not accepted now will not be accepted later either.
      if (answer.status < 500 && answer.status !== 429) break
    } catch (error) {
      if (signal.aborted) return
      last = (error as Error).message
    }
    await sleep(1000, undefined, { signal }).catch(() => {}) // woken by the abort
  }
  throw new Error(`the webhook was not taken: ${last}`)
}
