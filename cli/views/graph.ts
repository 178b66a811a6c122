import { kindOf } from '../../controller/domain/address.ts'
import type { DesiredResource } from '../../controller/domain/resource.ts'

type Resources = readonly DesiredResource[]

/** Graphviz: one cluster a domain, an arrow from a resource to each it refers to. */
export function renderDot(resources: Resources): string {
  const lines = ['digraph fibric {', '  rankdir = "LR"', '  node [shape = "box", style = "rounded"]']
  for (const [slug, members] of byDomain(resources)) {
    lines.push(`  subgraph ${quoted(`cluster_${slug}`)} {`, `    label = ${quoted(slug)}`)
    for (const { address, kind, name } of members) {
      lines.push(`    ${quoted(address)} [label = ${quoted(`${kind}\n${nameOf(address, name)}`)}]`)
    }
    lines.push('  }')
  }
  for (const [from, to] of edges(resources)) lines.push(`  ${quoted(from)} -> ${quoted(to)}`)
  return `${[...lines, '}'].join('\n')}\n`
}

/** Mermaid, as code hosts draw it inside Markdown. Addresses are no names there, so nodes are numbered. */
export function renderMermaid(resources: Resources): string {
  const ids = new Map<string, string>(resources.map(({ address }, index) => [address, `n${index}`]))
  const lines = ['flowchart LR']
  let domain = 0
  for (const [slug, members] of byDomain(resources)) {
    lines.push(`  subgraph d${domain++}["${slug}"]`)
    for (const { address, kind, name } of members) {
      lines.push(`    ${ids.get(address)}["${kind}<br/>${nameOf(address, name)}"]`)
    }
    lines.push('  end')
  }
  for (const [from, to] of edges(resources)) lines.push(`  ${ids.get(from)} --> ${ids.get(to)}`)
  return `${lines.join('\n')}\n`
}

export function graphJson(resources: Resources) {
  return {
    object: 'graph',
    nodes: resources.map(({ address, slug, kind, source }) => ({
      ...{ address, tenant: slug, kind, path: source.path, line: source.line },
    })),
    edges: edges(resources).map(([from, to]) => ({ from, to })),
  }
}

function byDomain(resources: Resources): ReadonlyMap<string, DesiredResource[]> {
  return Map.groupBy(resources, ({ slug }) => slug as string)
}

/** What a reference leads to that could not be read has no node, and so no arrow. */
function edges(resources: Resources): [string, string][] {
  const known = new Set<string>(resources.map(({ address }) => address))
  return resources.flatMap(({ address, references }) =>
    references.filter((reference) => known.has(reference)).map((to): [string, string] => [address, to]),
  )
}

function nameOf(address: DesiredResource['address'], name: string): string {
  const kind = kindOf(address)
  return address.slice(address.indexOf(kind) + kind.length + 1) || name
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
