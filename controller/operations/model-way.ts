import type { EgressAnswer, EgressBroker } from '../connectors/egress/broker.ts'
import { hostOf } from '../connectors/egress/destination.ts'
import { parseDurationMs } from '../domain/duration.ts'
import { FibricError } from '../domain/errors.ts'
import { type Digest, platformTenantId, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json } from '../domain/json.ts'
import type { ModelCandidate } from '../domain/model-choice.ts'
import type { Engine } from '../engine.ts'
import type { Models } from '../loop/model.ts'
import { postgresDurableExec } from '../seams/durable-exec/postgres.ts'
import { bedrock } from '../seams/model-router/bedrock.ts'
import { chooseFor } from '../seams/model-router/choose.ts'
import { openai } from '../seams/model-router/openai.ts'
import { PolicyRouter } from '../seams/model-router/policy.ts'
import { scripted } from '../seams/model-router/scripted.ts'
import type { ModelTarget, ModelWire, WireAnswer } from '../seams/model-router.ts'
import type { Database } from '../store/connect.ts'
import { readContents } from '../store/contents.ts'
import type { RootKey } from '../tenancy/root-key.ts'
import { readCredential } from '../tenancy/secrets.ts'
import { redactorOf } from '../tenancy/secrets-redaction.ts'
import { connectorsOf } from './connections.ts'

interface Way {
  readonly models: Models
  scripted: boolean
}

const ways = new WeakMap<Database, Way>()
export const providers = { bedrock, openai, scripted }
const answerBytesMax = 4_194_304

/** The way to models over an engine's database. */
export function modelsOf(engine: Engine): Models {
  return wayOf(engine).models
}

/** Whether recorded answers serve production tenants here. */
export function scriptedModelsAllowed(engine: Engine): boolean {
  return wayOf(engine).scripted
}

/** Lets recorded answers serve every tenant of this process, as `up` does; sandbox tenants have them anyhow. */
export function allowScriptedModels(engine: Engine): void {
  wayOf(engine).scripted = true
}

function wayOf(engine: Engine): Way {
  const known = ways.get(engine.database)
  if (known) return known
  const { database, clock } = engine
  const router = new PolicyRouter({
    database,
    clock,
    durable: postgresDurableExec(database, clock),
    providers,
    ...callMsOf(process.env.FIBRIC_MODEL_TIMEOUT),
    choose: (tenantId, alias) => chooseFor(database, tenantId, alias, way.scripted),
    target: (tenantId, model) => targetOf(database, tenantId, model),
    wire: (tenantId, target, endpoint, deadlineMs, signal) => ({
      post: async (request) => {
        const { catalog, broker } = connectorsOf(engine)
        const { allowPrivate } = await catalog.of(tenantId)
        const hosts = endpoint === null ? [] : [hostOf(endpoint) ?? '']
        return wireOver(broker, tenantId, { hosts, allowPrivate }, target, deadlineMs, signal).post(request)
      },
    }),
  })
  const readText = async (tenantId: TenantId, digest: Digest): Promise<string | null> => {
    const contents = await database.asWorker([tenantId], (tx) => readContents(tx, [{ tenantId, digest }]), {
      access: 'read only',
    })
    return contents.get(digest)?.toString('utf8') ?? null
  }
  const way: Way = { models: { router, readText }, scripted: false }
  ways.set(database, way)
  return way
}

/** How long one call of a model may take; the router's own limit where nothing is said. */
function callMsOf(text: string | undefined): { readonly callMs?: number } {
  if (!text) return {}
  const callMs = parseDurationMs(text)
  if (callMs !== null && callMs > 0) return { callMs }
  throw new FibricError('USAGE', `FIBRIC_MODEL_TIMEOUT is \`${text}\`, which is no duration`, {
    hint: 'write it as `90s` or `2m`',
  })
}

export function wireOver(
  broker: EgressBroker,
  tenantId: TenantId,
  allowed: { readonly hosts: readonly string[]; readonly allowPrivate: readonly string[] },
  target: ModelTarget,
  deadlineMs: number,
  signal: AbortSignal,
): ModelWire {
  const redactor = redactorOf([], [...(target.credential?.values() ?? [])])
  return {
    post: async ({ url, headers, body }) => {
      const answer = await broker.call({
        class: 'model',
        tenantId,
        allowed,
        method: 'POST',
        url,
        headers,
        body,
        credentials: null,
        deadlineMs,
        responseBytesMax: answerBytesMax,
        signal,
        token: null,
      })
      const wired = wireAnswerOf(answer)
      if (wired.kind !== 'answered' || wired.status < 300) return wired
      // Some gateways say in full which key they did not like.
      return { ...wired, body: Buffer.from(redactor.text(wired.body.toString('utf8'))) }
    },
  }
}

function wireAnswerOf(answer: EgressAnswer): WireAnswer {
  switch (answer.kind) {
    case 'answered':
      return answer
    case 'broken':
      return { kind: 'broken', reason: `${answer.reason}: ${answer.detail}` }
    case 'gated':
      return { kind: 'not-sent', reason: 'the host asked to be left alone', retryAfterMs: answer.retryAfterMs }
    case 'unconnected':
      return { kind: 'not-sent', reason: `no connection: ${answer.detail}`, retryAfterMs: null }
    default:
      return { kind: 'not-sent', reason: answer.reason, retryAfterMs: null }
  }
}

/** The name of the secret that lets whoever asks into a model: the tenant's own first, then the platform's. */
export function modelSecret(name: string): string {
  return `model-${name}`
}

export async function targetOf(
  database: Database<RootKey>,
  tenantId: TenantId,
  { name, spec }: ModelCandidate,
): Promise<ModelTarget> {
  const hosting = isJsonObject(spec.hosting) ? spec.hosting : {}
  // As the SDK and its tools read it: a deployment in a network of its own reaches AWS by its own endpoint.
  const usual = spec.provider === 'bedrock' ? process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME || null : null
  return {
    modelId: String(spec.modelId),
    region: typeof hosting.region === 'string' ? hosting.region : null,
    baseUrl: typeof spec.baseUrl === 'string' ? spec.baseUrl : usual,
    script: await scriptOf(database, spec.script),
    ...(spec.provider === 'scripted' ? withoutCredential : await credentialOf(database, tenantId, name)),
  }
}

async function credentialOf(
  database: Database<RootKey>,
  tenantId: TenantId,
  name: string,
): Promise<Pick<ModelTarget, 'credential' | 'secret'>> {
  for (const owner of [tenantId, platformTenantId]) {
    const fields = await readCredential(database, owner, modelSecret(name))
    if (fields.size === 0) continue
    const version = Math.max(...[...fields.values()].map((field) => field.version))
    return {
      credential: new Map([...fields].map(([field, { value }]) => [field, value.toString('utf8')])),
      secret: { name: modelSecret(name), version },
    }
  }
  return withoutCredential
}

const withoutCredential = { credential: null, secret: null }

/** Models are the platform's, so their files lie in its domain. */
async function scriptOf(database: Database, script: Json | undefined): Promise<string | null> {
  if (typeof script === 'string') return script
  const { file } = isJsonObject(script) ? script : {}
  if (typeof file !== 'string') return null
  const place = { tenantId: platformTenantId, digest: file as Digest }
  const contents = await database.asWorker([platformTenantId], (tx) => readContents(tx, [place]), {
    access: 'read only',
  })
  return contents.get(place.digest)?.toString('utf8') ?? null
}
