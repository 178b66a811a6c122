import { FibricError } from '../../domain/errors.ts'
import type { Address } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { applyPlanned, applySaved } from '../../operations/apply.ts'
import { importState } from '../../operations/import.ts'
import { appliedJson, importedFileJson, planJson } from '../../operations/objects.ts'
import { loadPlan, type Planned, refuseOthers, savePlan } from '../../operations/plan.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, textOf } from '../parameters.ts'
import { withPlan } from '../planning.ts'
import { type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** Desired against actual: planning it, and carrying it out. */
export const changeRoutes: RouteGroup = {
  name: 'change',
  register(server, { directory, push }) {
    route(server, {
      method: 'POST',
      url: '/v1/config/webhook',
      scope: 'public',
      summary: 'Tell of a push to the git repository that this server follows: it looks at once',
      description:
        'Signed with the field `webhook` of the credential that the controller was given: `X-Hub-Signature-256` as GitHub and Gitea send it, or `X-Gitlab-Token`. What the body says is not read.',
      rawBody: true,
      status: 202,
      response: ref('Push'),
      async handler(call) {
        if (push === null || call.hostTenantId !== null) {
          throw new FibricError('NOT_FOUND', 'this server follows no git repository')
        }
        if (await push({ headers: call.headers, body: call.raw })) return { object: 'push', status: 'looking' }
        throw new FibricError('WEBHOOK_UNVERIFIED', 'the push is not signed by the host of the repository')
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/config/files',
      scope: 'config:read',
      summary: 'The files of a repository that would give what is applied, by path',
      query: {
        ...pageQuery,
        tenant: slug,
        targets: { type: 'string', maxLength: 4000, description: 'addresses by comma; everything unless said' },
      },
      response: listOf(ref('ImportedFile')),
      async handler(call) {
        const targets = textOf(call.query.targets)
        const only = targets === null ? [] : (targets.split(',') as Address[])
        const files = await importState(call.engine, textOf(call.query.tenant), only)
        return pageOfAll(call, [textOf(call.query.tenant), targets], files, ({ path }) => path, importedFileJson)
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/config/plan',
      scope: 'config:read',
      summary: 'Plan a bundle of files, or the folder the server follows',
      description: 'A key of one tenant sends the files of `tenants/<its slug>/`: everything else is as it is applied.',
      bodySizeMax: bundleSizeMax,
      body: planBody({
        save: { type: 'boolean', description: 'answer the signed plan file too' },
        contents: { type: 'boolean', description: 'answer what each change replaces and what it puts there' },
      }),
      response: ref('Plan'),
      handler: (call) =>
        withPlan(call.engine, directory, call.body, async (planned) => {
          const file = call.body.save === true ? (await savePlan(call.engine, planned)).toString('base64') : null
          return { ...shownPlan(planned), file, ...(call.body.contents === true && { contents: contentsIn(planned) }) }
        }),
    })
    route(server, {
      method: 'POST',
      url: '/v1/config/plan/read',
      scope: 'config:read',
      summary: 'What a saved plan says, after checking its signature',
      bodySizeMax: bundleSizeMax,
      body: bodyOf({ plan_file: planFile }, ['plan_file']),
      response: ref('Plan'),
      async handler({ engine, body }) {
        const { plan } = loadPlan(engine, Buffer.from(String(body.plan_file), 'base64'), 'plan_file')
        await refuseOthers(engine, plan)
        return { ...planJson(plan, []), diagnostics: [], file: null }
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/config/apply',
      scope: 'config:write',
      summary: 'Carry out a saved plan, a bundle of files, or the folder the server follows',
      bodySizeMax: bundleSizeMax,
      body: planBody({
        plan_file: planFile,
        confirm_deletes: { type: 'integer', minimum: 0, maximum: 10_000_000 },
      }),
      response: ref('Apply'),
      async handler(call) {
        const confirmDeletes = typeof call.body.confirm_deletes === 'number' ? call.body.confirm_deletes : null
        const { plan_file: file, confirm_deletes: _confirmed, ...rest } = call.body
        if (typeof file !== 'string') {
          return withPlan(call.engine, directory, rest, async (planned) =>
            appliedJson(await applyPlanned(call.engine, planned, { confirmDeletes })),
          )
        }
        refuseBeside(rest)
        const saved = loadPlan(call.engine, Buffer.from(file, 'base64'), 'plan_file')
        return appliedJson(await applySaved(call.engine, saved, { confirmDeletes }))
      },
    })
  },
}

const bundleSizeMax = 32 * 1024 * 1024

const planFile: Schema = { type: 'string', minLength: 1, pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'base64' }
const slug: Schema = { type: 'string', minLength: 1, maxLength: 63, description: 'slug of one tenant' }
const addresses: Schema = { type: 'array', maxItems: 1000, items: { type: 'string', pattern: '^[^/]+/[^/]+/[^/]+$' } }

const fileContent: Schema = {
  anyOf: [
    { type: 'string', description: 'text' },
    {
      type: 'object',
      additionalProperties: false,
      required: ['base64'],
      properties: { base64: { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$' } },
    },
  ],
}

function planBody(more: { readonly [name: string]: Schema }): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      files: { type: 'object', additionalProperties: fileContent, description: 'files by path' },
      tenant: slug,
      targets: addresses,
      labels: { type: 'object', additionalProperties: { type: 'string', maxLength: 300 }, maxProperties: 20 },
      destroy: { type: 'boolean' },
      refresh_only: { type: 'boolean' },
      heal: { type: 'boolean', description: 'repair what has drifted from its last receipt, and nothing else' },
      retry: addresses,
      ...more,
    },
  }
}

function shownPlan(planned: Planned): JsonObject {
  return { ...planJson(planned.plan, planned.brakes), diagnostics: planned.diagnostics } as unknown as JsonObject
}

/** The documents before and after each change, by digest. */
function contentsIn({ plan, contents }: Planned): { [digest: string]: object } {
  const found: { [digest: string]: object } = {}
  for (const change of plan.changes) {
    const { before, after } = contents(change)
    if (before !== null && change.digestBefore !== null) found[change.digestBefore] = before
    if (after !== null && change.digestAfter !== null) found[change.digestAfter] = after
  }
  return found
}

function refuseBeside(rest: JsonObject): void {
  const [name] = Object.keys(rest)
  if (name === undefined) return
  throw new FibricError('VALIDATION_FAILED', `a saved plan says everything itself: \`${name}\` cannot stand beside it`)
}
