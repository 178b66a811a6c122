import { Args, Flags } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import type { DesiredResource } from '../../controller/domain/resource.ts'
import { readRepository } from '../../controller/repository.ts'
import { closest } from '../../schemas/index.ts'
import { FibricCommand, type Outcome } from '../base-command.ts'
import { findRepository } from '../repository.ts'
import { addressOf } from '../scope-flags.ts'
import { graphJson, renderDot, renderMermaid } from '../views/graph.ts'
import { incompleteNote } from '../views/validate.ts'

export default class Graph extends FibricCommand {
  static override summary = 'Draw which resource refers to which.'
  static override description =
    'An arrow leads from a resource to what it needs; creation follows the arrows backwards, deletion forwards.'
  static override examples = [
    '<%= config.bin %> graph | dot -Tsvg > graph.svg',
    '<%= config.bin %> graph --format mermaid --target acme/Operator/order-risk',
  ]
  static override args = { dir: Args.string({ description: 'folder in the configuration repository', default: '.' }) }
  static override flags = {
    format: Flags.option({
      description: 'language of the drawing',
      options: ['dot', 'mermaid', 'json'] as const,
      default: 'dot',
    })(),
    target: Flags.string({ description: 'only this address and everything it needs' }),
    ref: Flags.string({ description: 'draw this git revision instead of the working directory' }),
  }

  protected async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Graph)
    const target = flags.target === undefined ? null : addressOf(flags.target)
    const { repository } = await readRepository(findRepository(args.dir), flags.ref ?? null)
    const resources = target === null ? repository.resources : neededBy(target, repository.resources)
    const notes = incompleteNote(repository, flags.ref ?? 'the repository')
    const json = graphJson(resources)
    const text = { dot: renderDot, mermaid: renderMermaid, json: () => JSON.stringify(json, null, 2) }[flags.format]
    return { text: text(resources), json, ...(notes === null ? {} : { notes }) }
  }
}

function neededBy(target: string, resources: readonly DesiredResource[]): DesiredResource[] {
  const byAddress = new Map<string, DesiredResource>(resources.map((resource) => [resource.address, resource]))
  if (!byAddress.has(target)) {
    const near = closest(target, byAddress.keys())
    throw new FibricError('NOT_FOUND', `the repository has no \`${target}\``, {
      hint: near === null ? 'fibric graph shows every address' : `did you mean \`${near}\`?`,
    })
  }
  const needed = new Set<string>([target])
  for (const address of needed) for (const reference of byAddress.get(address)?.references ?? []) needed.add(reference)
  return resources.filter(({ address }) => needed.has(address))
}
