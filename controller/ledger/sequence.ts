import type { TenantId } from '../domain/ids.ts'
import { append, rootHash } from '../domain/merkle.ts'
import type { Database } from '../store/connect.ts'
import { readLedgerOwners } from '../store/domains.ts'
import { advanceHead, lockLedgerHead, readUnsequenced, readUnsequencedLedgers } from '../store/ledger.ts'

const batchSize = 2000

/**
 * Positions for every entry that has none: this process's, and those of one that was killed before it came to it. Costs
 * two reads where there is nothing to do.
 */
export async function sequenceLedgers(database: Database, now: string): Promise<void> {
  const owners = await database.asWorker([], readLedgerOwners, { access: 'read only' })
  const behind = await database.asWorker(owners, (tx) => readUnsequencedLedgers(tx, owners), { access: 'read only' })
  for (const tenant of behind) await sequenceLedger(database, tenant, now)
}

/**
 * Gives every committed entry of a domain its position and moves the domain's tree head. Safe to run anywhere at any
 * time: the head's row is the fence, and the order once given never changes. Returns the size of the tree.
 */
export async function sequenceLedger(database: Database, tenant: TenantId, now: string): Promise<number> {
  for (;;) {
    const step = await database.asWorker([tenant], async (tx) => {
      const head = await lockLedgerHead(tx, tenant, now)
      const entries = await readUnsequenced(tx, tenant, head, batchSize)
      if (entries.length === 0) return { size: head.size, more: false }
      const grown = append(
        head,
        entries.map((entry) => entry.leaf),
      )
      const more = entries.length === batchSize
      await advanceHead(tx, tenant, {
        from: head.size,
        entries: entries.map((entry) => entry.entry_id),
        size: grown.size,
        root: rootHash(grown),
        frontier: grown.frontier,
        lowXid: more ? null : entries[0]!.horizon,
        now,
      })
      return { size: grown.size, more }
    })
    if (!step.more) return step.size
  }
}
