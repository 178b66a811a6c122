import type { Address } from '../../controller/domain/ids.ts'
import type { Findings } from './findings.ts'
import type { LoadedResource, ResourceIndex } from './resources.ts'

/** Reports every cycle of references once, at its first member by address, with each step as `file:line`. */
export function reportCycles(index: ResourceIndex, findings: Findings): void {
  const state = new Map<Address, 'open' | 'done'>()
  for (const start of [...index.keys()].sort()) {
    // An explicit stack: a chain of references may be as long as the repository.
    const path: { readonly resource: LoadedResource; next: number }[] = []
    const enter = (address: Address) => {
      state.set(address, 'open')
      path.push({ resource: index.get(address)!, next: 0 })
    }
    if (!state.has(start)) enter(start)
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const next = top.resource.references[top.next++]
      if (next === undefined) {
        state.set(top.resource.address, 'done')
        path.pop()
      } else if (!state.has(next)) {
        enter(next)
      } else if (state.get(next) === 'open') {
        const from = path.findIndex(({ resource }) => resource.address === next)
        report(
          path.slice(from).map(({ resource }) => resource),
          findings,
        )
      }
    }
  }
}

function report(cycle: readonly LoadedResource[], findings: Findings): void {
  const [first] = cycle
  if (!first) return
  const steps = [...cycle, first].map(({ address }) => `\`${address}\``).join(' → ')
  findings.add({
    code: 'REFERENCE_CYCLE',
    message: `references form a cycle: ${steps}`,
    hint: 'remove one of the references',
    path: first.path,
    place: first.facts.namePlace,
    related: cycle.map((resource, step) => ({
      message: `\`${resource.address}\` refers to \`${cycle[(step + 1) % cycle.length]!.address}\``,
      path: resource.path,
      place: resource.facts.namePlace,
    })),
  })
}
