import { platformTenantId, type TenantId } from '../../domain/ids.ts'
import type { Database } from '../../store/connect.ts'
import { type DomainRow, readDomains } from '../../store/domains.ts'
import { readDomainRules, readRules } from '../config/rules-in-force.ts'
import type { RulesInForce } from '../config/run.ts'

/** Rules, people and domains as they were read, to be used until a claim finds that an epoch moved. */
export class RulesCache {
  readonly #database: Database
  readonly #clock: () => Date
  #rules: RulesInForce | null = null
  #domains = new Map<TenantId, DomainRow>()
  /** The read under way: two at once could leave the rules of one snapshot beside the epochs of the other. */
  #reading: Promise<unknown> | null = null

  constructor(database: Database, clock: () => Date) {
    this.#database = database
    this.#clock = clock
  }

  /** The rules of some domains; those not known yet are read. */
  async of(tenants: readonly TenantId[]): Promise<RulesInForce> {
    while (this.#reading !== null) await Promise.allSettled([this.#reading])
    const reading = this.#of(tenants).finally(() => {
      this.#reading = null
    })
    this.#reading = reading
    return reading
  }

  async #of(tenants: readonly TenantId[]): Promise<RulesInForce> {
    const missing = tenants.filter((tenant) => !this.#rules?.epochs.has(tenant))
    if (this.#rules !== null && missing.length === 0) return this.#rules
    const wanted = [...new Set([platformTenantId, ...missing])]
    this.#rules = await this.#database.asWorker(
      wanted,
      async (tx) => {
        // The epochs are read in the snapshot of the rules: a claim under them fails once the rules have moved.
        const rows = await readDomains(tx)
        this.#domains = new Map(rows.map((row) => [row.tenant_id, row]))
        const epochs = new Map(rows.map((row) => [row.tenant_id, row.rules_epoch]))
        const domains = rows.filter((row) => wanted.includes(row.tenant_id))
        const known = this.#rules
        if (known === null || known.epochs.get(platformTenantId) !== epochs.get(platformTenantId)) {
          return readRules(tx, false, domains, epochs, this.#clock())
        }
        await readDomainRules(tx, known, domains, epochs)
        return known
      },
      { access: 'read only', isolation: 'repeatable read' },
    )
    return this.#rules
  }

  /** A domain as it was last read; null when it is not there any more. */
  domain(tenant: TenantId): DomainRow | null {
    return this.#domains.get(tenant) ?? null
  }

  /** An epoch moved: everything is read again when it is next asked for. */
  forget(): void {
    this.#rules = null
  }
}
