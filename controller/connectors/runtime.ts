import { compileUserSchema, durationMs } from '../../schemas/index.ts'
import { formatDecimal, parseDecimal } from '../domain/decimal.ts'
import { digestBytes, digestJson } from '../domain/digest.ts'
import { FibricError } from '../domain/errors.ts'
import { platformSlug, type TenantId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import { slugOf } from '../domain/address.ts'
import type {
  AttemptOptions,
  AttemptResult,
  Binding,
  Bound,
  EffectConnector,
  Pinned,
  PlannedEffect,
  ReadResult,
} from '../executor/effects/connector.ts'
import type { Database } from '../store/connect.ts'
import type { RootKey } from '../tenancy/root-key.ts'
import { parseBody } from './answer-body.ts'
import { type AwsIdentity, AwsRoles } from './auth/aws-role.ts'
import { CredentialSource, type ReadyCredential } from './auth/credentials.ts'
import { baseUrlOf, egressOf, type Footing, footingOf, offering } from './binding.ts'
import { ConnectorCatalog, type Installed } from './catalog.ts'
import { EgressBroker, tokenTarget } from './egress/broker.ts'
import { type Resolver, systemResolver } from './egress/destination.ts'
import type { WireAnswer } from './egress/send.ts'
import { retryAfterMs } from './egress/rate-gates.ts'
import { judge } from './first-answer.ts'
import { argumentsFor, objectOf, render, RenderError, type RenderedRequest, renderRequest } from './request.ts'

export interface ConnectorSettings {
  readonly database: Database<RootKey>
  readonly clock: () => Date
  readonly aws: AwsIdentity | null
  /** Tests bring their own. */
  readonly resolver?: Resolver
}

const answerBytesMax = { effect: 1_048_576, read: 8_388_608 } as const
const timeoutMsDefault = 30_000

/** Carries tools out over HTTP: finds the binding, renders the request, injects the credential, judges the answer. */
export class ConnectorRuntime implements EffectConnector {
  readonly catalog: ConnectorCatalog
  readonly broker: EgressBroker
  readonly credentials: CredentialSource

  constructor({ database, clock, aws, resolver = systemResolver }: ConnectorSettings) {
    this.catalog = new ConnectorCatalog(database)
    this.broker = new EgressBroker(database, resolver)
    this.credentials = new CredentialSource(database, this.broker, new AwsRoles(this.broker, aws), clock)
  }

  async resolve(
    tenant: TenantId,
    capability: string,
    connection: string | null = null,
    pinned: Pinned | null = null,
  ): Promise<Binding> {
    const { connections } = await this.catalog.of(tenant)
    const named = connection === null ? connections : connections.filter(({ name }) => name === connection)
    const candidates = offering(named, capability)
    const [only] = candidates
    if (only === undefined) return unbound(connections, named, capability, connection)
    if (candidates.length > 1) {
      const names = candidates.map(({ name }) => `\`${name}\``).join(', ')
      return { kind: 'unbound', reason: `\`${capability}\` is offered by ${names}: one has to bind it` }
    }
    return this.#bind(tenant, only, capability, pinned)
  }

  plan(bound: Bound, args: Json): PlannedEffect | { readonly problem: string } {
    try {
      const footing = footingOf(this.catalog, bound)
      const { tool } = bound
      const [problem] = tool.input === undefined ? [] : compileUserSchema(tool.input).validate(args)
      if (problem) return { problem: `args: ${problem.message}` }
      const names = { config: bound.config, args: argumentsFor(tool, args) }
      const request = this.#render(bound, footing, args)
      const target = tokenTarget(request.url)
      if (target === null) return { problem: 'the request has no URL that can be read' }
      const bodyDigest = digestBytes(request.body ?? '')
      const { method, headers } = request
      return {
        entityKey: entityKeyOf(bound, names),
        value: valueOf(tool, names),
        tier: tierOf(tool),
        requestDigest: digestJson({ method, target, headers, body: bodyDigest }),
        request: { method, target, bodyDigest },
      }
    } catch (error) {
      if (error instanceof RenderError) return { problem: error.message }
      throw error
    }
  }

  async attempt(bound: Bound, args: Json, options: AttemptOptions): Promise<AttemptResult> {
    try {
      const footing = footingOf(this.catalog, bound)
      const request = withEffectHeaders(this.#render(bound, footing, args), bound.tool, options)
      const credential = await this.#credential(bound, footing, request, 'credential', options.deadlineMs, options.signal)
      if (credential.kind !== 'ready') {
        return credential.kind === 'missing'
          ? unsent('not-done', credential.reason)
          : unsent('failed', credential.reason)
      }
      return await this.#carry(bound, args, request, footing, credential, options)
    } catch (error) {
      // Nothing after the first byte can end here: the broker answers whatever a host does.
      if (error instanceof RenderError) return unsent('failed', error.message)
      if (error instanceof FibricError) return unsent('not-sent', `${error.code}: ${error.message}`)
      throw error
    }
  }

  async read(bound: Bound, args: Json, signal: AbortSignal): Promise<ReadResult> {
    try {
      const footing = footingOf(this.catalog, bound)
      const { tool } = bound
      if (tierOf(tool) !== 0) return { kind: 'failed', reason: `\`${bound.toolName}\` is an effect, and no read` }
      const [problem] = tool.input === undefined ? [] : compileUserSchema(tool.input).validate(args)
      if (problem) return { kind: 'failed', reason: `args: ${problem.message}` }
      const request = this.#render(bound, footing, args)
      const deadlineMs = performance.now() + timeoutMsOf(tool)
      const credential = await this.#credential(bound, footing, request, 'readCredential', deadlineMs, signal)
      if (credential.kind !== 'ready') return { kind: 'failed', reason: credential.reason }
      return await this.#ask(bound, footing, request, credential, deadlineMs, signal)
    } catch (error) {
      if (error instanceof RenderError) return { kind: 'failed', reason: error.message }
      if (error instanceof FibricError) return { kind: 'failed', reason: `${error.code}: ${error.message}` }
      throw error
    }
  }

  async #bind(tenant: TenantId, installed: Installed, capability: string, pinned: Pinned | null): Promise<Binding> {
    const connectionDigest = pinned?.connectionDigest ?? installed.digest
    const connectorDigest = pinned?.connectorDigest ?? installed.connector!.digest
    const [connection, connector] = await Promise.all([
      this.catalog.spec(tenant, connectionDigest),
      this.catalog.spec(tenant, connectorDigest),
    ])
    if (connection === null || connector === null) {
      return { kind: 'unbound', reason: `the content of \`${installed.address}\` or its connector is gone: apply it again` }
    }
    if (connector.runtime !== 'http') {
      return { kind: 'unbound', reason: `this version carries out \`runtime: http\`, and not \`${String(connector.runtime)}\`` }
    }
    const tool = objectOf(connector.tools)[capability]
    if (tool === undefined) return { kind: 'unbound', reason: `the connector has no tool \`${capability}\`` }
    const roles = Array.isArray(connection.as) ? connection.as : []
    return {
      kind: 'bound',
      tenant,
      connection: installed.address,
      connectionRole: String(roles[0] ?? installed.name),
      connector: installed.connector!.address,
      connectorDigest,
      connectionDigest,
      tool: objectOf(tool),
      toolName: capability,
      config: objectOf(connection.config),
    }
  }

  #render(bound: Bound, footing: Footing, args: Json): RenderedRequest {
    const names = { config: bound.config, args: argumentsFor(bound.tool, args) }
    return renderRequest(objectOf(bound.tool.http), baseUrlOf(footing), names)
  }

  async #credential(
    bound: Bound,
    { connection, connector }: Footing,
    request: RenderedRequest,
    which: 'credential' | 'readCredential',
    deadlineMs: number,
    signal: AbortSignal,
  ) {
    const name = connection[which] ?? connection.credential
    const { allowPrivate } = await this.catalog.of(bound.tenant)
    return this.credentials.prepare({
      tenantId: bound.tenant,
      name: typeof name === 'string' ? name : null,
      auth: objectOf(connector.auth),
      config: bound.config,
      request,
      allowPrivate,
      deadlineMs,
      signal,
    })
  }

  async #carry(
    bound: Bound,
    args: Json,
    request: RenderedRequest,
    footing: Footing,
    credential: ReadyCredential,
    options: AttemptOptions,
  ): Promise<AttemptResult> {
    const { allowPrivate } = await this.catalog.of(bound.tenant)
    const timeoutMs = performance.now() + timeoutMsOf(bound.tool)
    const answer = await this.broker.call({
      class: 'effect',
      tenantId: bound.tenant,
      allowed: { hosts: egressOf(footing, baseUrlOf(footing)), allowPrivate },
      ...request,
      credentials: credential.credentials,
      deadlineMs: Math.min(options.deadlineMs, timeoutMs),
      responseBytesMax: answerBytesMax.effect,
      signal: options.signal,
      token: options.token,
    })
    const { used } = credential
    switch (answer.kind) {
      case 'refused':
        return unsent('failed', `the egress broker refused it: ${answer.reason}`, used)
      case 'unresolved':
        return unsent('not-done', answer.reason, used)
      case 'unconnected':
        return unsent('not-done', `no connection: ${answer.detail}`, used)
      case 'gated':
        return { ...unsent('not-done', 'the host asked to be left alone', used), retryAfterMs: answer.retryAfterMs }
      case 'unwritten':
        return unsent('not-sent', answer.reason, used)
      case 'broken':
        return { ...unsent('unknown', `${answer.reason}: ${answer.detail}`, used), status: answer.status }
      case 'answered':
        if (answer.status === 401) await credential.rejected()
        return judgedSafely(bound, args, answer, credential, options.resend)
    }
  }

  async #ask(
    bound: Bound,
    footing: Footing,
    request: RenderedRequest,
    credential: ReadyCredential,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<ReadResult> {
    const { allowPrivate } = await this.catalog.of(bound.tenant)
    const answer = await this.broker.call({
      class: 'read',
      tenantId: bound.tenant,
      allowed: { hosts: egressOf(footing, baseUrlOf(footing)), allowPrivate },
      ...request,
      credentials: credential.credentials,
      deadlineMs,
      responseBytesMax: answerBytesMax.read,
      signal,
      token: null,
      vouched: slugOf(bound.connector) === platformSlug,
    })
    if (answer.kind === 'gated') return { kind: 'failed', reason: 'the host asked to be left alone' }
    if (answer.kind === 'unconnected') return { kind: 'failed', reason: `no connection: ${answer.detail}` }
    if (answer.kind === 'broken') return { kind: 'failed', reason: `${answer.reason}: ${answer.detail}` }
    if (answer.kind !== 'answered') return { kind: 'failed', reason: answer.reason }
    if (answer.status === 401) await credential.rejected()
    if (answer.status < 200 || answer.status > 299) return { kind: 'failed', reason: `HTTP ${answer.status}` }
    const { output } = bound.tool
    const parsed = parseBody(answer.headers, answer.body, output !== undefined)
    if (parsed.kind === 'unparsable') return { kind: 'failed', reason: `the answer cannot be read: ${parsed.reason}` }
    const body = credential.redactor.json(parsed.body)
    const [problem] = output === undefined ? [] : compileUserSchema(output).validate(body)
    if (problem) return { kind: 'failed', reason: `the answer does not fit the output schema: ${credential.redactor.text(problem.message)}` }
    return { kind: 'ok', body }
  }
}

function unbound(
  connections: readonly Installed[],
  named: readonly Installed[],
  capability: string,
  connection: string | null,
): Binding {
  const broken = named.find(({ spec, connector }) => spec === null || connector === null || connector.spec === null)
  if (broken) {
    return { kind: 'unbound', reason: `the content of \`${broken.address}\` or its connector is gone: apply it again` }
  }
  if (connection !== null && named.length === 0) return { kind: 'unbound', reason: `there is no connection \`${connection}\`` }
  const where = connections.length === 0 ? ': the tenant has no connection' : ''
  return { kind: 'unbound', reason: `no connection offers \`${capability}\`${where}` }
}

function withEffectHeaders(
  request: RenderedRequest,
  tool: JsonObject,
  { idempotencyKey, ifMatch }: AttemptOptions,
): RenderedRequest {
  const { idempotencyHeader } = objectOf(tool.http)
  const key = typeof idempotencyHeader === 'string' ? { [idempotencyHeader.toLowerCase()]: headerKey(idempotencyKey) } : {}
  const match = ifMatch === undefined || ifMatch === null ? {} : { 'if-match': ifMatch }
  return { ...request, headers: { ...request.headers, ...key, ...match } }
}

/** The key as a header carries it: the same for the same key, whatever it is written in; at most 255 characters. */
function headerKey(key: string): string {
  return /^[\x21-\x7e]{1,255}$/.test(key) ? key : digestBytes(key)
}

/** The effect may have happened by now: whatever goes wrong in looking at its answer is a doubt, and never an error. */
function judgedSafely(...parameters: Parameters<typeof judged>): AttemptResult {
  try {
    return judged(...parameters)
  } catch (error) {
    const [, , { status }, { used }] = parameters
    return { ...unsent('unknown', `HTTP ${status}, and the answer could not be judged (${String((error as Error).name)})`, used), status }
  }
}

function judged(
  bound: Bound,
  args: Json,
  answer: WireAnswer & { kind: 'answered' },
  { redactor, used }: ReadyCredential,
  resend: boolean,
): AttemptResult {
  const { tool } = bound
  const { status, headers } = answer
  const parsed = parseBody(headers, answer.body, tool.output !== undefined && status >= 200 && status < 300)
  const body = parsed.kind === 'parsed' ? redactor.json(parsed.body) : null
  const shownHeaders = redactor.json(headers)
  const names = { config: bound.config, args: argumentsFor(tool, args), response: { status, headers: shownHeaders, body }, result: body }
  const unparsable = parsed.kind === 'unparsable' ? parsed.reason : null
  const { kind, reason } = judge(tool, { status, unparsable, resend, names })
  const success = kind === 'applied' && tool.output !== undefined
  return {
    kind,
    reason,
    status,
    body,
    responseDigest: parsed.kind === 'parsed' ? digestBytes(JSON.stringify({ status, body })) : null,
    retryAfterMs: kind === 'not-done' ? retryAfterMs(headers['retry-after'], Date.now()) : null,
    outputInvalid: success && compileUserSchema(tool.output!).validate(body).length > 0,
    credential: used,
  }
}

function unsent(kind: AttemptResult['kind'], reason: string, credential: AttemptResult['credential'] = null): AttemptResult {
  return { kind, reason, status: null, body: null, responseDigest: null, retryAfterMs: null, outputInvalid: false, credential }
}

function entityKeyOf(bound: Bound, names: { readonly config: JsonObject; readonly args: JsonObject }): string {
  const { entityKey } = bound.tool
  if (entityKey === undefined) return `${bound.connection.slice(bound.connection.lastIndexOf('/') + 1)}:${bound.toolName}`
  return String(render(entityKey, names, 'key', 'entityKey'))
}

function valueOf(tool: JsonObject, names: { readonly config: JsonObject; readonly args: JsonObject }): PlannedEffect['value'] {
  const { value } = tool
  if (value === undefined) return null
  const { amount, currency } = typeof value === 'string' ? { amount: value, currency: null } : objectOf(value)
  const decimal = parseDecimal(String(render(amount ?? null, names, 'text', 'value.amount')))
  if (decimal === null) throw new RenderError('`value.amount` is no decimal number')
  const named = currency === null || currency === undefined ? null : render(currency, names, 'text', 'value.currency')
  if (named !== null && typeof named !== 'string') throw new RenderError('`value.currency` is no text')
  return { amount: formatDecimal(decimal), currency: named }
}

function tierOf(tool: JsonObject): 0 | 1 | 2 | 3 {
  const tier = tool.tier ?? (tool.effect === 'read' || tool.sideEffecting === false ? 0 : 2)
  return Number(tier) as 0 | 1 | 2 | 3
}

function timeoutMsOf(tool: JsonObject): number {
  const { timeout } = objectOf(tool.http)
  return typeof timeout === 'string' ? (durationMs(timeout) ?? timeoutMsDefault) : timeoutMsDefault
}
