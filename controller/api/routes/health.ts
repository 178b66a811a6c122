import type { Registry } from 'prom-client'
import { readDomains } from '../../store/domains.ts'
import { Answer, type RouteGroup, route } from '../route.ts'

/**
 * `/healthz`: the process lives. `/readyz`: it may be sent requests. Both answer on any Host and say nothing else.
 * `/metrics` takes a platform credential.
 */
export function healthRoutes(isReady: () => boolean, metrics: Pick<Registry, 'metrics' | 'contentType'>): RouteGroup {
  return {
    name: 'health',
    register(server, context) {
      const status = (text: string) => ({ object: 'health', status: text })
      const response = {
        type: 'object',
        required: ['object', 'status'],
        properties: { object: { const: 'health' }, status: { enum: ['ok', 'unavailable'] } },
      }
      const probe = { method: 'GET', scope: 'public', tag: 'health', anyHost: true, response } as const
      route(server, {
        ...probe,
        url: '/healthz',
        summary: 'Whether the process lives',
        handler: async () => status('ok'),
      })
      route(server, {
        ...probe,
        url: '/readyz',
        summary: 'Whether requests may be sent here',
        description: '503 while the server starts, stops, or cannot reach its database.',
        async handler() {
          const ready = isReady() && (await answers(() => context.engine.database.asWorker([], readDomains, readOnly)))
          return ready ? status('ok') : new Answer(503, status('unavailable'), { 'retry-after': '5' })
        },
      })
      route(server, {
        method: 'GET',
        url: '/metrics',
        scope: 'platform',
        tag: 'health',
        summary: 'Metrics for Prometheus',
        description: 'Labels are routes and ids.',
        produces: metrics.contentType,
        response: { type: 'string' },
        handler: () => metrics.metrics(),
      })
    },
  }
}

const readOnly = { access: 'read only', statementTimeoutMs: 2000 } as const

async function answers(question: () => Promise<unknown>): Promise<boolean> {
  try {
    await question()
    return true
  } catch {
    return false // what is wrong stands in the log of whoever was refused by it
  }
}
