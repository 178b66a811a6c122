import { createHmac, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'

/** A payload that GitHub really sends, of the package `@octokit/webhooks-examples`. */
export interface Payload {
  readonly action?: string
  readonly [field: string]: unknown
}

interface Examples {
  readonly name: string
  readonly examples: readonly Payload[]
}

/** Every example of one event: `issues`, `pull_request` … */
export function payloadsOf(event: string): readonly Payload[] {
  const all = createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly Examples[]
  return all.find(({ name }) => name === event)?.examples ?? []
}

/** The body and headers of a delivery, as GitHub makes them. */
export function deliveryOf(event: string, payload: Payload, secret: string) {
  const body = JSON.stringify(payload)
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/0000000',
    'x-github-event': event,
    'x-github-delivery': randomUUID(),
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  }
  return { body, headers }
}

// `node deliver.ts issues issue.changed`: every example of an event, to a Fibric on this machine.
if (import.meta.main) {
  const [event = 'issues', name = 'issue.changed'] = process.argv.slice(2)
  const url = `${process.env.FIBRIC_URL ?? 'http://localhost:4310'}/v1/t/oss/ingest/github/${name}`
  for (const payload of payloadsOf(event)) {
    const { status } = await fetch(url, { method: 'POST', ...deliveryOf(event, payload, 'what-github-signs-with') })
    process.stdout.write(`${status} ${event} ${payload.action ?? ''}\n`)
  }
}
