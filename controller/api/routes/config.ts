import { durationMs, kinds } from '../../../schemas/index.ts'
import { FibricError } from '../../domain/errors.ts'
import type { Address } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { applyPlanned, applySaved } from '../../operations/apply.ts'
import { findDrift } from '../../operations/drift.ts'
import { importState } from '../../operations/import.ts'
import { appliedJson, importedFileJson, planJson, stateJson } from '../../operations/objects.ts'
import { loadPlan, type Planned, refuseOthers, savePlan } from '../../operations/plan.ts'
import { resume, suspend } from '../../operations/runtime-records.ts'
import { contentsOf, listState, showState } from '../../operations/state.ts'
import { readStatus } from '../../operations/status.ts'
import { whyWaiting } from '../../operations/waiting.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf } from '../parameters.ts'
import { withPlan } from '../planning.ts'
import { type Call, type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** Desired against actual, and what is applied. */
export const configRoutes: RouteGroup = {
  name: 'config',
  register(server, { directory, push }) {
    route(server, {
      method: 'GET',
      url: '/v1/config/status',
      scope: 'config:read',
      summary: 'What is applied, and what waits',
      response: ref('ConfigStatus'),
      handler: async ({ engine }) => ({
        object: 'config_status',
        ...(await readStatus(engine)),
        follows: directory !== null,
      }),
    })
    route(server, {
      method: 'GET',
      url: '/v1/config/resources',
      scope: 'config:read',
      summary: 'Applied resources, by address',
      query: {
        ...pageQuery,
        tenant: slug,
        kind: { type: 'string', enum: kinds.map(({ kind }) => kind) },
        name: shortText,
        labels: { type: 'string', maxLength: 1000, pattern: '^[^=,]+=[^=,]*(?:,[^=,]+=[^=,]*)*$' },
        content: { type: 'boolean', description: 'with the content of each' },
      },
      response: listOf(ref('Resource')),
      handler: listResources,
    })
    route(server, {
      method: 'GET',
      url: oneResource,
      scope: 'config:read',
      summary: 'One applied resource with its content',
      response: ref('Resource'),
      async handler(call) {
        const object = await showState(call.engine, addressOf(call))
        return { ...stateJson(object), content: object.content }
      },
    })
    route(server, {
      method: 'POST',
      url: `${oneResource}/suspend`,
      scope: 'operators:write',
      summary: 'Let nothing change this resource for a while',
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['reason', 'for'],
        properties: { reason: { type: 'string', minLength: 1, maxLength: 500 }, for: duration },
      },
      response: ref('Suspension'),
      async handler(call) {
        const address = addressOf(call)
        const reason = String(call.body.reason)
        const until = await suspend(call.engine, address, reason, durationOf(call.body.for))
        return { object: 'suspension', address, until, reason }
      },
    })
    route(server, {
      method: 'POST',
      url: `${oneResource}/resume`,
      scope: 'operators:write',
      summary: 'End a suspension',
      response: ref('Suspension'),
      async handler(call) {
        const address = addressOf(call)
        await resume(call.engine, address)
        return { object: 'suspension', address, until: null, reason: null }
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/config/waiting/{tenant}/{kind}/{name}',
      scope: 'config:read',
      summary: 'What keeps a resource from moving on',
      query: pageQuery,
      response: listOf(ref('Wait')),
      async handler(call) {
        const address = addressOf(call)
        const reasons = (await whyWaiting(call.engine, address)).map((message, index) => ({ message, index }))
        const show = ({ message }: { message: string }) => ({ object: 'wait', address, message })
        return pageOfAll(call, address, reasons, ({ index }) => String(index).padStart(6, '0'), show)
      },
    })
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
      url: '/v1/config/drift',
      scope: 'config:read',
      summary: 'Objects that disagree with their last receipt, by address',
      query: { ...pageQuery, tenant: slug },
      response: listOf(ref('Drift')),
      async handler(call) {
        const drifted = await findDrift(call.engine, textOf(call.query.tenant))
        const show = (each: (typeof drifted)[number]) => ({ object: 'drift', ...each })
        return pageOfAll(call, textOf(call.query.tenant), drifted, ({ address }) => address, show)
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

const oneResource = '/v1/config/resources/{tenant}/{kind}/{name}'
const bundleSizeMax = 32 * 1024 * 1024

const planFile: Schema = { type: 'string', minLength: 1, pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'base64' }
const shortText: Schema = { type: 'string', minLength: 1, maxLength: 300 }
const slug: Schema = { type: 'string', minLength: 1, maxLength: 63, description: 'slug of one tenant' }
const duration: Schema = { type: 'string', minLength: 2, maxLength: 40, description: 'like 30s, 15m, 72h or 14d' }
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
      retry: addresses,
      ...more,
    },
  }
}

async function listResources(call: Call) {
  const { tenant, kind, name, labels, content } = call.query
  const filter = { tenant: textOf(tenant), kind: textOf(kind), name: textOf(name), labels: labelsOf(textOf(labels)) }
  const objects = await listState(call.engine, filter)
  const page = await pageOfAll(
    call,
    filter,
    objects,
    ({ address }) => address,
    (object) => object,
  )
  const contents = content === true ? await contentsOf(call.engine, page.data) : null
  const shown = page.data.map((object) => ({
    ...stateJson(object),
    ...(contents && { content: contents.get(object.digest) ?? null }),
  }))
  return { ...page, data: shown }
}

function labelsOf(text: string | null): { [key: string]: string } {
  if (text === null) return {}
  return Object.fromEntries(text.split(',').map((pair) => pair.split('=') as [string, string]))
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

function addressOf({ params }: Call): Address {
  return `${params.tenant}/${params.kind}/${params.name}` as Address
}

const yearMs = 366 * 24 * 60 * 60 * 1000

export function durationOf(value: unknown): number {
  const milliseconds = durationMs(String(value))
  if (milliseconds !== null && milliseconds > 0 && milliseconds <= yearMs) return milliseconds
  throw new FibricError('VALIDATION_FAILED', 'the duration is not one of up to a year', {
    hint: 'write it like 30s, 15m, 72h or 14d',
  })
}

function refuseBeside(rest: JsonObject): void {
  const [name] = Object.keys(rest)
  if (name === undefined) return
  throw new FibricError('VALIDATION_FAILED', `a saved plan says everything itself: \`${name}\` cannot stand beside it`)
}

function textOf(value: string | number | boolean | undefined): string | null {
  return value === undefined ? null : String(value)
}
