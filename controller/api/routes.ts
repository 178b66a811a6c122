import type { RouteGroup } from './route.ts'
import { configRoutes } from './routes/config.ts'
import { eventRoutes } from './routes/events.ts'
import { gatewayRoutes } from './routes/gateways.ts'
import { guardrailRoutes } from './routes/guardrails.ts'
import { ingestRoutes } from './routes/ingest.ts'
import { planRoutes } from './routes/plans.ts'
import { platformRoutes } from './routes/platform.ts'
import { receiptRoutes } from './routes/receipts.ts'
import { tenantRoutes } from './routes/tenant.ts'

/** Every part of the API, in the order of the document. */
export const routeGroups: readonly RouteGroup[] = [
  eventRoutes,
  ingestRoutes,
  gatewayRoutes,
  configRoutes,
  planRoutes,
  receiptRoutes,
  guardrailRoutes,
  tenantRoutes,
  platformRoutes,
]
