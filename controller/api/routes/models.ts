import { listModels, modelChoiceJson, testedModelJson, testModel } from '../../operations/models.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, domainNeeded, queried, said, tenantQuery } from '../parameters.ts'
import { type RouteGroup, route } from '../route.ts'
import { ref } from '../schemas.ts'

/** Models: which one answers whom, by the applied policies, and whether it does. */
export const modelRoutes: RouteGroup = {
  name: 'models',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/models',
      scope: 'config:read',
      summary: 'Which models answer in each tenant, by default and by alias, and which are refused',
      query: { ...pageQuery, ...tenantQuery },
      response: listOf(ref('ModelChoice')),
      async handler(call) {
        const tenant = queried(call, 'tenant')
        const choices = (await listModels(call.engine, tenant)).map((choice, index) => ({ choice, index }))
        const keyOf = ({ index }: { index: number }) => String(index).padStart(6, '0')
        return pageOfAll(call, tenant, choices, keyOf, ({ choice }) => modelChoiceJson(choice))
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/models/test',
      scope: 'runs:write',
      summary: 'Ask the model that serves a tenant one small question, by its policies and within its budget',
      description: 'That it does not answer is an answer: `outcome` is `refused` or `unavailable`.',
      query: tenantQuery,
      body: bodyOf(
        { alias: { type: 'string', minLength: 1, maxLength: 63, description: 'alias of a ModelPolicy' } },
        [],
      ),
      response: ref('TestedModel'),
      handler: async (call) =>
        testedModelJson(await testModel(call.engine, await domainNeeded(call), said(call.body, 'alias'))),
    })
  },
}
