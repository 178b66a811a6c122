import { isJsonObject, type Json } from './json.ts'
import type { ResourceContent } from './resource.ts'

/** One field that differs. `before` or `after` is undefined where the field is absent. */
export interface FieldChange {
  /** Dotted path below the document, list items by index: `spec.trigger.on[0]`. */
  readonly path: string
  readonly before: Json | undefined
  readonly after: Json | undefined
}

/** The fields in which two contents differ, each at the deepest point where they still have something in common. */
export function diffFields(before: ResourceContent | null, after: ResourceContent | null): FieldChange[] {
  const changes: FieldChange[] = []
  for (const part of ['metadata', 'spec'] as const) {
    compare(part, before?.[part] as Json | undefined, after?.[part] as Json | undefined, changes)
  }
  return changes
}

/** Paths of the top fields of spec and metadata that differ, for rules to match on. */
export function changedFields(before: ResourceContent | null, after: ResourceContent | null): string[] {
  if (!before || !after) return []
  const fields = new Set(diffFields(before, after).map((change) => change.path.split(/[.[]/).slice(0, 2).join('.')))
  return [...fields].sort()
}

function compare(path: string, before: Json | undefined, after: Json | undefined, changes: FieldChange[]): void {
  if (before === after) return
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)].sort())) {
      compare(`${path}.${key}`, before[key], after[key], changes)
    }
    return
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      compare(`${path}[${index}]`, before[index], after[index], changes)
    }
    return
  }
  changes.push({ path, before, after })
}
