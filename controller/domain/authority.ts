import type { FieldSchema } from '../../schemas/field-schema.ts'
import { canonicalJson } from './canonical-json.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'
import type { ChangeClass } from './rules.ts'
import { compareValues, coveredBy, type Order } from './value-order.ts'

export type AuthorityEffect = 'widens' | 'narrows' | 'neutral'

/** What a change of content does to authority, and why. */
export interface ContentAuthority {
  readonly effect: AuthorityEffect
  /** Whether it changes what something does without changing what it may do: a prompt, a goal. */
  readonly behaviour: boolean
  readonly reasons: readonly AuthorityReason[]
}

export interface AuthorityReason {
  /** JSON Pointer into the spec; for rules, the policy and rule. */
  readonly pointer: string
  readonly effect: 'widens' | 'narrows'
  /** What changed. Says "unproven" where the two could not be compared, which counts as widening. */
  readonly text: string
}

/**
 * Classifies a change of a resource's spec by the `x-authority` of its fields: more of a `grants` field or less of a
 * `limits` field widens, the reverse narrows, and any widening widens the whole. What cannot be compared counts as
 * widening.
 *
 * `before` and `after` are specs after defaults, null for a creation or a deletion: an object is compared with its
 * absence. `schema` has its references resolved. `except` names top-level fields that are judged elsewhere (rules).
 */
export function classifyContent(
  schema: FieldSchema,
  before: JsonObject | null,
  after: JsonObject | null,
  except: readonly string[] = [],
): ContentAuthority {
  const found: Findings = { behaviour: false, reasons: [] }
  const properties = Object.entries(schema.properties ?? {}).filter(([name]) => !except.includes(name))
  for (const [name, property] of properties) {
    const field = { schema: property, authority: 'none', pointer: `/${name}`, existed: before !== null } as const
    const exists = after !== null
    walk({ ...field, exists }, before?.[name], after?.[name], found)
  }
  return { effect: effectOf(found.reasons), behaviour: found.behaviour, reasons: found.reasons }
}

/** Any widening widens the whole. */
export function effectOf(reasons: readonly { readonly effect: 'widens' | 'narrows' }[]): AuthorityEffect {
  if (reasons.some((reason) => reason.effect === 'widens')) return 'widens'
  return reasons.length > 0 ? 'narrows' : 'neutral'
}

/** The one word that rules match a change by. */
export function changeClassOf(effect: AuthorityEffect, behaviour: boolean): Exclude<ChangeClass, 'none'> {
  if (effect === 'widens') return 'widens'
  return behaviour ? 'behaviour' : effect
}

interface Findings {
  behaviour: boolean
  readonly reasons: AuthorityReason[]
}

interface Field {
  readonly schema: FieldSchema
  /** What the field around it says, for fields that say nothing themselves. */
  readonly authority: 'grants' | 'limits' | 'none'
  readonly pointer: string
  /** Whether what the field belongs to existed before, and exists after: only then does absence mean its default. */
  readonly existed: boolean
  readonly exists: boolean
}

function walk(field: Field, before: Json | undefined, after: Json | undefined, found: Findings): void {
  if (canonicalOf(before) === canonicalOf(after)) return
  const schema = branchOf(field.schema, after ?? before)
  const authority = schema['x-authority'] ?? field.authority
  if (schema['x-behaviour'] === true && field.existed && field.exists) found.behaviour = true
  const here: Field = { ...field, schema, authority }
  if (isJsonObject(before) && isJsonObject(after) && mayDescend(schema)) {
    walkObject(here, before, after, found)
  } else if (Array.isArray(before) && Array.isArray(after) && isJsonObject(after[0] ?? before[0])) {
    walkList(here, before, after, found)
  } else {
    note(here, orderOf(here, before, after), textOf(schema, before, after), found)
  }
}

function walkObject(field: Field, before: JsonObject, after: JsonObject, found: Findings): void {
  const { properties = {}, additionalProperties } = field.schema
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const schema = properties[name] ?? (isSchema(additionalProperties) ? additionalProperties : {})
    const pointer = `${field.pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    walk({ schema, authority: field.authority, pointer, existed: true, exists: true }, before[name], after[name], found)
  }
}

/**
 * A list of objects is the sum of its items, so items may be paired as it suits: equal ones first, then those with the
 * same name, then in order. What is left over was added or removed.
 */
function walkList(field: Field, before: readonly Json[], after: readonly Json[], found: Findings): void {
  const item = field.schema.items ?? {}
  const [gone, come] = withoutEqual(before, after)
  const pairs = [...pairByName(gone, come)]
  while (gone.length > 0 && come.length > 0) pairs.push([gone.shift()!, come.shift()!])
  for (const [from, to] of pairs) {
    const pointer = `${field.pointer}/${after.indexOf(to)}`
    walk({ schema: item, authority: field.authority, pointer, existed: true, exists: true }, from, to, found)
  }
  for (const removed of gone)
    note(field, absentIsMost(field) && after.length === 0 ? 'more' : 'less', `loses ${brief(removed)}`, found)
  for (const added of come)
    note(field, absentIsMost(field) && before.length === 0 ? 'less' : 'more', `gains ${brief(added)}`, found)
}

function orderOf(field: Field, before: Json | undefined, after: Json | undefined): Order {
  const { schema } = field
  const was = isEmpty(schema, before)
  const is = isEmpty(schema, after)
  if (was && is) return 'same'
  // Whoever owns a tenant both binds it and acts for it: no change of that is less, its appearing included.
  if (schema['x-unordered'] === true && field.existed && field.exists) return 'incomparable'
  if (was) return absentIsMost(field) && field.existed ? 'less' : 'more'
  if (is) return absentIsMost(field) && field.exists ? 'more' : 'less'
  return compareValues(schema, before as Json, after as Json)
}

function note(field: Field, order: Order, text: string, found: Findings): void {
  if (order === 'same' || field.authority === 'none') return
  const { pointer } = field
  if (order === 'incomparable') {
    found.reasons.push({ pointer, effect: 'widens', text: `${text} (unproven)` })
    return
  }
  const widens = (order === 'more') === (field.authority === 'grants')
  found.reasons.push({ pointer, effect: widens ? 'widens' : 'narrows', text })
}

/** Nothing of a field: absent, false, an empty list or map, where absence does not mean the most. */
function isEmpty(schema: FieldSchema, value: Json | undefined): boolean {
  if (value === undefined || value === null) return true
  if (Array.isArray(value)) return value.length === 0
  if (value === false) return true
  return isJsonObject(value) && Object.keys(value).length === 0 && schema['x-absent'] === undefined
}

function absentIsMost({ schema }: Field): boolean {
  return schema['x-absent'] === 'most'
}

function textOf(schema: FieldSchema, before: Json | undefined, after: Json | undefined): string {
  if (Array.isArray(before ?? []) && Array.isArray(after ?? []) && (before ?? after) !== undefined) {
    const was = (before ?? []) as readonly Json[]
    const is = (after ?? []) as readonly Json[]
    const gained = is.filter((item) => !coveredBy(schema, [item], was))
    const lost = was.filter((item) => !coveredBy(schema, [item], is))
    const parts = [
      gained.length > 0 && `gains ${gained.map(brief).join(', ')}`,
      lost.length > 0 && `loses ${lost.map(brief).join(', ')}`,
    ]
    return parts.filter((part) => part !== false).join(' and ') || 'changes'
  }
  return `${brief(before)} → ${brief(after)}`
}

/** A value in one line of a reason. */
function brief(value: Json | undefined): string {
  if (value === undefined) return 'absent'
  const text = typeof value === 'string' ? value : canonicalJson(value)
  return text.length > 60 ? `\`${text.slice(0, 57)}…\`` : `\`${text}\``
}

function withoutEqual(before: readonly Json[], after: readonly Json[]): [Json[], Json[]] {
  const come = [...after]
  const gone = before.filter((item) => {
    const index = come.findIndex((other) => canonicalOf(other) === canonicalOf(item))
    if (index >= 0) come.splice(index, 1)
    return index < 0
  })
  return [gone, come]
}

function pairByName(gone: Json[], come: Json[]): [Json, Json][] {
  const pairs: [Json, Json][] = []
  for (const item of [...gone]) {
    const name = nameOf(item)
    const other = name === null ? undefined : come.find((candidate) => nameOf(candidate) === name)
    if (other === undefined) continue
    gone.splice(gone.indexOf(item), 1)
    come.splice(come.indexOf(other), 1)
    pairs.push([item, other])
  }
  return pairs
}

function nameOf(item: Json): string | null {
  if (!isJsonObject(item)) return null
  const name = item.id ?? item.name ?? item.as ?? item.capability ?? item.user
  return typeof name === 'string' ? name : null
}

/** The branch of an `anyOf` that fits the value's type, with the keywords beside it. */
function branchOf(schema: FieldSchema, value: Json | undefined): FieldSchema {
  if (schema.anyOf === undefined) return schema
  const type = value === null || value === undefined ? 'null' : Array.isArray(value) ? 'array' : typeof value
  const branch = schema.anyOf.find((each) => each.type === type || (type === 'number' && each.type === 'integer'))
  const { anyOf: _, ...beside } = schema
  return branch === undefined ? beside : { ...branch, ...beside }
}

function mayDescend({ properties, additionalProperties }: FieldSchema): boolean {
  return properties !== undefined || isSchema(additionalProperties)
}

function isSchema(schema: boolean | FieldSchema | undefined): schema is FieldSchema {
  return typeof schema === 'object'
}

function canonicalOf(value: Json | undefined): string | undefined {
  return value === undefined ? undefined : canonicalJson(value)
}
