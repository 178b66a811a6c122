import { type Change, verbOf } from './change.ts'
import type { Address } from './ids.ts'

/**
 * Orders changes so that nothing is created before what it refers to, and nothing is deleted while something still
 * refers to it: creations and updates in dependency order, then deletions in reverse, ties by address.
 *
 * `referencesOf` gives the addresses an object refers to: as wanted for creations and updates, as applied for
 * deletions. References out of the set of changes are met already. Cycles do not reach this function: validation
 * refuses them; members of one would come last, by address.
 */
export function orderChanges<C extends Change>(
  changes: readonly C[],
  referencesOf: (change: C) => readonly Address[],
): C[] {
  const puts = changes.filter((change) => verbOf(change) !== 'delete')
  const deletes = changes.filter((change) => verbOf(change) === 'delete')
  return [...dependencyOrder(puts, referencesOf), ...dependencyOrder(deletes, referencesOf).reverse()]
}

function dependencyOrder<C extends Change>(
  changes: readonly C[],
  referencesOf: (change: C) => readonly Address[],
): C[] {
  const byAddress = new Map<Address, C>()
  for (const change of changes) byAddress.set(change.address, change)
  const ordered: C[] = []
  const entered = new Set<Address>()
  const visit = (start: C): void => {
    // An explicit stack: a chain of a hundred thousand references must not overflow the call stack.
    const stack: { change: C; waitsFor: Iterator<Address> }[] = []
    const enter = (change: C): void => {
      entered.add(change.address)
      stack.push({ change, waitsFor: referencesOf(change).toSorted()[Symbol.iterator]() })
    }
    enter(start)
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const step = top.waitsFor.next()
      if (step.done) {
        ordered.push(top.change)
        stack.pop()
        continue
      }
      const needed = byAddress.get(step.value)
      if (needed && !entered.has(needed.address)) enter(needed)
    }
  }
  for (const change of changes.toSorted((a, b) => compareText(a.address, b.address))) {
    if (!entered.has(change.address)) visit(change)
  }
  return ordered
}

/** Code-unit order, the same on every machine whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
