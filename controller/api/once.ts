import { randomBytes } from 'node:crypto'
import { digestJson } from '../domain/digest.ts'
import { FibricError } from '../domain/errors.ts'
import { platformTenantId, type TenantId } from '../domain/ids.ts'
import type { Json } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import type { Once } from '../operations/once.ts'
import { readDomains } from '../store/domains.ts'
import {
  claimRequest,
  finishRequest,
  forgetRequests,
  type RequestClaim,
  type RequestRow,
  releaseRequest,
  renewRequests,
} from '../store/requests.ts'
import { openSealed, type RootKey, seal } from '../tenancy/root-key.ts'

/** An answer as it goes out: what a second request with the same key gets again. */
export interface Rendered {
  readonly status: number
  readonly text: string
  readonly headers: { readonly [name: string]: string }
}

export interface OnceRequest {
  readonly tenantId: TenantId | null
  /** Method and path as the document writes it: a key counts for one route. */
  readonly route: string
  readonly key: string
  /** Everything that makes it this request: who asks, path, query and body. */
  readonly asked: Json
  readonly requestId: string
}

const keptMs = 7 * 24 * 60 * 60 * 1000
const renewEveryMs = 10_000

/**
 * Answers a request once per idempotency key; later ones get the first answer.
 *
 * The key is taken before anything is done. A process that dies while it works leaves it taken until its lease is over;
 * the request is then carried out again when it is sent again. Every operation behind the API can bear that: what it makes
 * is known by what it replaces, or named by `Once`, which each attempt is given alike. An answer of 5xx is not kept: the
 * request may be repeated.
 */
export class OnceOnly {
  readonly #engine: Engine
  readonly #instance = randomBytes(8).toString('hex')
  readonly #running = new Set<RequestClaim>()
  readonly #complain: (error: unknown) => void
  readonly #renewing: NodeJS.Timeout

  constructor(engine: Engine, onError: (error: unknown) => void) {
    this.#engine = engine
    this.#complain = onError
    this.#renewing = setInterval(() => this.#renew().catch(onError), renewEveryMs).unref()
  }

  async answer(request: OnceRequest, work: (once: Once) => Promise<Rendered>): Promise<Rendered> {
    const claim = this.#claimOf(request)
    const { tenantId } = claim
    const keptSince = new Date(this.#engine.clock().getTime() - keptMs).toISOString()
    const taken = await this.#engine.database.asTenant(tenantId, (tx) => claimRequest(tx, claim, keptSince))
    if ('bound' in taken) return this.#answered(claim, taken.bound)
    this.#running.add(claim)
    try {
      const id = digestJson([tenantId, claim.route, claim.key, taken.created_at]).slice('sha256:'.length)
      const rendered = await work({ id, at: taken.created_at })
      // What is done is done: whoever asked gets the answer, even where it could not be kept for asking again.
      await this.#keep(claim, taken.attempt, rendered).catch(this.#complain)
      return rendered
    } finally {
      this.#running.delete(claim)
    }
  }

  /** Drops what was kept long enough. */
  async forget(): Promise<void> {
    const before = new Date(this.#engine.clock().getTime() - keptMs).toISOString()
    const domains = await this.#engine.database.asWorker([], readDomains, { access: 'read only' })
    const ids = domains.map((domain) => domain.tenant_id)
    await this.#engine.database.asWorker(ids, (tx) => forgetRequests(tx, ids, before))
  }

  close(): void {
    clearInterval(this.#renewing)
  }

  #claimOf(request: OnceRequest): RequestClaim {
    return {
      tenantId: request.tenantId ?? platformTenantId,
      route: request.route,
      key: request.key,
      digest: digestJson(request.asked),
      requestId: request.requestId,
      instance: this.#instance,
      now: this.#engine.clock().toISOString(),
    }
  }

  #answered(claim: RequestClaim, bound: RequestRow | null): Rendered {
    if (bound !== null && bound.digest !== claim.digest) {
      throw new FibricError('IDEMPOTENCY_CONFLICT', `the key \`${claim.key}\` was used for another request`, {
        hint: 'send another Idempotency-Key with another request',
      })
    }
    if (bound === null || bound.state === 'running') {
      throw new FibricError('REQUEST_IN_PROGRESS', `the first request with the key \`${claim.key}\` still runs`, {
        hint: 'send it again in a moment',
      })
    }
    const text = openSealed(this.#rootKey, bound.answer!, contextOf(claim)).toString('utf8')
    const kept = JSON.parse(text) as Pick<Rendered, 'text' | 'headers'>
    return { status: bound.status!, ...kept, headers: { ...kept.headers, 'idempotency-replayed': 'true' } }
  }

  /** Sealed: the answer of `keys create` holds a secret, which is otherwise kept nowhere. */
  async #keep(claim: RequestClaim, attempt: number, rendered: Rendered): Promise<void> {
    const { database } = this.#engine
    if (rendered.status >= 500) {
      await database.asTenant(claim.tenantId, (tx) => releaseRequest(tx, claim, attempt))
      return
    }
    const plain = Buffer.from(JSON.stringify({ text: rendered.text, headers: rendered.headers }))
    const bytes = seal(this.#rootKey, plain, contextOf(claim))
    await database.asTenant(claim.tenantId, (tx) =>
      finishRequest(tx, claim, attempt, { status: rendered.status, bytes }),
    )
  }

  async #renew(): Promise<void> {
    const running = [...this.#running]
    if (running.length === 0) return
    const tenants = [...new Set(running.map(({ tenantId }) => tenantId))]
    await this.#engine.database.asWorker(tenants, (tx) => renewRequests(tx, this.#instance, running))
  }

  get #rootKey(): RootKey {
    // Whoever has a deployment has its root key: `enterDeployment` refuses to go without.
    return this.#engine.database.rootKey!
  }
}

function contextOf(claim: Pick<RequestClaim, 'tenantId' | 'route' | 'key'>): string {
  return JSON.stringify(['request', claim.tenantId, claim.route, claim.key])
}
