import type { RouteGroup } from './route.ts'
import { actionRoutes } from './routes/actions.ts'
import { alertRoutes } from './routes/alerts.ts'
import { changeRoutes } from './routes/changes.ts'
import { configRoutes } from './routes/config.ts'
import { connectionRoutes } from './routes/connections.ts'
import { eventRoutes } from './routes/events.ts'
import { gatewayRoutes } from './routes/gateways.ts'
import { guardrailRoutes } from './routes/guardrails.ts'
import { ingestRoutes } from './routes/ingest.ts'
import { modelRoutes } from './routes/models.ts'
import { operatorRoutes } from './routes/operators.ts'
import { planRoutes } from './routes/plans.ts'
import { platformRoutes } from './routes/platform.ts'
import { receiptRoutes } from './routes/receipts.ts'
import { resourceRoutes } from './routes/resources.ts'
import { secretRoutes } from './routes/secrets.ts'
import { stopRoutes } from './routes/stops.ts'
import { tenantRoutes } from './routes/tenant.ts'
import { traceRoutes } from './routes/trace.ts'

/** Every part of the API, in the order of the document. */
export const routeGroups: readonly RouteGroup[] = [
  eventRoutes,
  ingestRoutes,
  gatewayRoutes,
  configRoutes,
  resourceRoutes,
  changeRoutes,
  operatorRoutes,
  connectionRoutes,
  modelRoutes,
  planRoutes,
  actionRoutes,
  alertRoutes,
  stopRoutes,
  receiptRoutes,
  traceRoutes,
  guardrailRoutes,
  tenantRoutes,
  secretRoutes,
  platformRoutes,
]
