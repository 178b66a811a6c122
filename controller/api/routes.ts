import type { RouteGroup } from './route.ts'

/** Every part of the API, in the order of the document. */
export const routeGroups: readonly RouteGroup[] = []
