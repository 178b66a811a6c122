import { diffFields } from '../../controller/domain/field-diff.ts'
import type { Json } from '../../controller/domain/json.ts'
import type { ResourceContent } from '../../controller/domain/resource.ts'
import type { Paint } from './paint.ts'

const valueLengthMax = 60
const fieldsMax = 20

/** One line a changed field: `spec.goal: "old" → "new"`. Long values are shortened. */
export function changedFieldsText(
  contents: { readonly before: ResourceContent | null; readonly after: ResourceContent | null },
  color: Paint,
): string[] {
  if (contents.before === null)
    return [color.dim('the content applied before is gone, so its fields cannot be compared')]
  const changes = diffFields(contents.before, contents.after)
  const lines = changes.slice(0, fieldsMax).map(({ path, before, after }) => {
    if (before === undefined) return `${color.green('+')} ${path}: ${shown(after)}`
    if (after === undefined) return `${color.red('-')} ${path}: ${shown(before)}`
    return `${color.yellow('~')} ${path}: ${shown(before)} → ${shown(after)}`
  })
  if (changes.length > fieldsMax) lines.push(color.dim(`… and ${changes.length - fieldsMax} more fields`))
  return lines
}

function shown(value: Json | undefined): string {
  const text = JSON.stringify(value)
  return text.length > valueLengthMax ? `${text.slice(0, valueLengthMax)}…` : text
}
