/**
 * Fairness: a tenant floods the door, at once and whatever it is told, while a small one beside it sends an event now and
 * then. The flood is to be answered 429, and the small tenant to be served within two seconds.
 *
 *   node bench/fairness.ts [events of the flood]
 */
import { admissionLimits } from '../controller/ingest/admission.ts'
import { withConnection } from '../controller/store/pool.ts'
import { flood } from '../test/ingest/flood.ts'
import { benchTenants, spread, withEventsDatabase } from './events-world.ts'
import { machine, report } from './measure.ts'

const events = Number(process.argv[2] ?? 100_000)
const targetMs = 2_000

await withEventsDatabase(async (database, server) => {
  // As after the first plan: before it nothing is taken in.
  await withConnection({ ...server.superuser, database: server.owner.database }, 'bench', (connection) =>
    connection.simple(
      `insert into fibric.deployment (deployment_id, created_at, genesis_state, genesis_plan) values ('dp_bench', now(), 'closed', 'pl_bench')`,
    ),
  )
  const [loud, quiet] = await benchTenants(database, 'tenant', 2)
  const startedAt = performance.now()
  const result = await flood(
    database,
    { loud: { tenantId: loud!, slug: 'tenant0' }, quiet: { tenantId: quiet!, slug: 'tenant1' } },
    { events, limits: admissionLimits, quietEveryMs: 50 },
  )
  const small = spread(result.quiet.deliveredMs)
  report({
    machine: machine(),
    load: {
      floodEvents: events,
      backlogMax: admissionLimits.backlogMax,
      seconds: Math.round((performance.now() - startedAt) / 1000),
    },
    flood: {
      accepted: result.accepted,
      refused: result.refused,
      retryAfterS: spread(result.retryAfterS),
      backlogAtEnd: result.backlogAtEnd,
    },
    smallTenant: {
      sent: result.quiet.sent,
      refused: 0,
      deliveredMs: small,
      targetMs,
      met: small.p99 < targetMs && result.refused > 0,
    },
  })
})
