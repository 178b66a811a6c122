import { Args, Flags } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import type { ResourceShown } from '../../controller/operations/objects.ts'
import { apiVersion, closest, findKind, kinds } from '../../schemas/index.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { labelsOf, scopeFlags } from '../scope-flags.ts'
import { renderNames } from '../views/names.ts'
import { renderState } from '../views/state.ts'
import { listJson } from '../views/table.ts'
import { renderYamlDocuments } from '../views/yaml.ts'

type ResourceWithContent = ResourceShown & { readonly content: object | null }

export default class Get extends EngineCommand {
  static override summary = 'Show applied resources of a kind, as a table or as documents.'
  static override examples = [
    '<%= config.bin %> get operators --tenant acme',
    '<%= config.bin %> get Tenant acme -o yaml',
  ]
  static override args = {
    kind: Args.string({ description: 'a kind, or its plural', required: true }),
    name: Args.string({ description: 'one resource only' }),
  }
  static override flags = {
    tenant: scopeFlags.tenant,
    selector: scopeFlags.selector,
    output: Flags.string({
      char: 'o',
      description: 'what to print',
      options: ['table', 'wide', 'yaml', 'json'],
      default: 'table',
    }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Get)
    const kind = findKind(args.kind)
    if (!kind) throw unknownKind(args.kind)
    labelsOf(flags.selector)
    const query = { tenant: flags.tenant, kind: kind.kind, name: args.name, labels: flags.selector, content: true }
    return this.withDoor(flags, '.', async (door) => {
      const { data: objects } = await door.list<ResourceWithContent>('/v1/config/resources', { query })
      if (objects.length === 0 && args.name !== undefined) {
        throw new FibricError('NOT_FOUND', `no applied ${kind.kind} is named \`${args.name}\``, {
          hint: `see them with: fibric get ${kind.plural}`,
        })
      }
      const documents = objects.map(({ content, ...status }) => ({ apiVersion, ...content, status }))
      const json = listJson(documents)
      switch (flags.output) {
        case 'yaml':
          return { text: renderYamlDocuments(documents), json }
        case 'json':
          return { text: JSON.stringify(json, null, 2), json }
        case 'wide':
          return { text: renderState(objects), json }
        default:
          return { text: renderNames(objects), json }
      }
    })
  }
}

function unknownKind(text: string): FibricError {
  const near = closest(
    text,
    kinds.map((info) => info.kind),
  )
  return new FibricError('USAGE', `there is no kind \`${text}\``, {
    hint: near ? `did you mean ${near}?` : 'see the kinds with: fibric explain',
  })
}
