import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface ApiMetrics {
  readonly registry: Registry
  request(of: { method: string; route: string; status: number; tenant: string; seconds: number }): void
  /** A request without a credential that is known: there is no ledger to say it in. */
  unknownCaller(code: string): void
  inFlight(change: 1 | -1): void
  /** A call that left through the egress broker, or was not let out by it. */
  egress(of: {
    readonly class: string
    readonly tenantId: string
    readonly outcome: string
    readonly seconds: number
  }): void
}

/** What `/metrics` shows. Labels name routes and ids, never what was asked or by whom. */
export function apiMetrics(): ApiMetrics {
  const registry = new Registry()
  // By itself it would wake an idle process a hundred times a second, and cost more than all else that does.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  const duration = new Histogram({
    name: 'fibric_http_request_duration_seconds',
    help: 'Time to answer a request, by route.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  })
  const requests = new Counter({
    name: 'fibric_http_requests_total',
    help: 'Requests answered, by tenant.',
    labelNames: ['tenant', 'status'],
    registers: [registry],
  })
  const unknown = new Counter({
    name: 'fibric_unknown_credentials_total',
    help: 'Requests refused because their credential is none of this deployment.',
    labelNames: ['code'],
    registers: [registry],
  })
  const running = new Gauge({
    name: 'fibric_http_requests_in_flight',
    help: 'Requests being answered.',
    registers: [registry],
  })
  const calls = new Counter({
    name: 'fibric_egress_calls_total',
    help: 'Calls to the outside: what they were for and what became of them, by tenant.',
    labelNames: ['class', 'outcome', 'tenant'],
    registers: [registry],
  })
  const callDuration = new Histogram({
    name: 'fibric_egress_call_duration_seconds',
    help: 'Time until a call to the outside had its whole answer, or none, by what it was for.',
    labelNames: ['class', 'outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60],
    registers: [registry],
  })
  return {
    registry,
    request({ method, route, status, tenant, seconds }) {
      const group = `${Math.floor(status / 100)}xx`
      duration.observe({ method, route, status: group }, seconds)
      requests.inc({ tenant, status: group })
    },
    unknownCaller: (code) => unknown.inc({ code: code.toLowerCase() }),
    inFlight: (change) => running.inc(change),
    egress({ class: kind, tenantId, outcome, seconds }) {
      calls.inc({ class: kind, outcome, tenant: tenantId })
      callDuration.observe({ class: kind, outcome }, seconds)
    },
  }
}
