import { Args } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import { type Explanation, explain, isExplanation, kinds } from '../../schemas/index.ts'
import { FibricCommand, type Outcome } from '../base-command.ts'
import { explanationJson, kindsJson, renderExplanation, renderKinds } from '../views/explain.ts'
import { paint } from '../views/paint.ts'

export default class Explain extends FibricCommand {
  static override summary = 'Explain a kind or one of its fields.'
  static override description = `Answers from the same schemas that documents are validated by.
Without an argument it lists every kind. \`spec\` may be left out of a path, and so are positions in a list.`
  static override examples = [
    '<%= config.bin %> explain',
    '<%= config.bin %> explain Operator',
    '<%= config.bin %> explain operator.trigger.on',
  ]
  static override args = { path: Args.string({ description: 'a kind, or a field of one: Operator.spec.trigger.on' }) }

  protected async execute(): Promise<Outcome> {
    const { args } = await this.parse(Explain)
    const color = paint(process.stdout)
    if (args.path === undefined) return { text: renderKinds(kinds, color), json: kindsJson(kinds) }
    const found = explain(args.path)
    if (isExplanation(found)) {
      const shown = found.path === found.kind.kind ? withSpec(found) : found
      return { text: renderExplanation(shown, color), json: explanationJson(shown) }
    }
    throw new FibricError('NOT_FOUND', `there is no kind or field \`${found.unknown}\``, {
      hint: hintFor(found.nearest, found.known),
      details: { known: found.known },
    })
  }
}

/** Of a kind as a whole the fields of its spec are what is asked for; the rest of a document is the same for all. */
function withSpec(kind: Explanation): Explanation {
  const spec = explain(`${kind.path}.spec`)
  const inner = isExplanation(spec) ? spec.fields.map((field) => ({ ...field, name: `spec.${field.name}` })) : []
  return { ...kind, fields: [...kind.fields.filter(({ name }) => name === 'metadata'), ...inner] }
}

function hintFor(nearest: string | null, known: readonly string[]): string {
  if (nearest !== null) return `did you mean \`fibric explain ${nearest}\`?`
  return known.length === 0 ? 'it has no fields' : `it has: ${known.join(', ')}`
}
