import { isJsonObject, type Json } from '../controller/domain/json.ts'
import { checkNode, type DialectProblem, type DialectState, lookUp, refusal } from './dialect-keywords.ts'
import { below, quoted } from './problem.ts'

export type { DialectProblem } from './dialect-keywords.ts'
export { compileUserSchema, type UserSchema, type UserSchemaProblem } from './user-schema.ts'

/** Bounds of a JSON Schema inside a document: its authors are tenants, and validation runs in the controller. */
export const dialectLimits = { bytes: 64 * 1024, depth: 16, properties: 200, expanded: 5000, problems: 20 } as const

/**
 * Everything in `value` that the closed dialect refuses: JSON Schema 2020-12 without references that leave the schema or
 * return to themselves, without dynamic references, `unevaluated…` and `uniqueItems` over objects, with patterns in RE2
 * syntax, and within `dialectLimits`.
 */
export function checkUserSchema(value: Json): DialectProblem[] {
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > dialectLimits.bytes) return [refusal('', `the schema has ${bytes} bytes, over ${dialectLimits.bytes}`)]
  const state: DialectState = { root: value, depthMax: dialectLimits.depth, problems: [], properties: 0 }
  checkNode(value, '', 1, state)
  if (state.properties > dialectLimits.properties) {
    state.problems.push(refusal('', `the schema has ${state.properties} properties, over ${dialectLimits.properties}`))
  }
  if (state.problems.length === 0) checkExpansion(value, state)
  return state.problems.slice(0, dialectLimits.problems)
}

/** References may repeat a shape; that they multiply or return to themselves would make a small schema endless work. */
function checkExpansion(root: Json, state: DialectState): void {
  const sizes = new Map<string, number>()
  const open = new Set<string>()
  const sizeOf = (node: Json): number => {
    if (typeof node !== 'object' || node === null) return 1
    let size = 1
    for (const [key, item] of Object.entries(node)) {
      if (key === '$defs' || key === 'enum' || key === 'const' || key === 'default' || key === 'examples') continue
      size += key === '$ref' && typeof item === 'string' ? targetSize(item) : sizeOf(item)
    }
    return Math.min(size, dialectLimits.expanded + 1)
  }
  const targetSize = (target: string): number => {
    const known = sizes.get(target)
    if (known !== undefined) return known
    if (open.has(target)) throw new CircleError(target)
    open.add(target)
    const size = sizeOf(lookUp(root, target) ?? null)
    open.delete(target)
    sizes.set(target, size)
    return size
  }
  try {
    for (const name of Object.keys(isJsonObject(root) && isJsonObject(root.$defs) ? root.$defs : {})) {
      targetSize(`#${below('/$defs', name)}`)
    }
    if (sizeOf(root) > dialectLimits.expanded) {
      state.problems.push(
        refusal('', `the schema has over ${dialectLimits.expanded} parts once its references are followed`),
      )
    }
  } catch (error) {
    if (!(error instanceof CircleError)) throw error
    state.problems.push(
      refusal(
        error.target.slice(1),
        `${quoted(error.target)} refers to itself`,
        'write out the levels that are needed',
      ),
    )
  }
}

class CircleError extends Error {
  readonly target: string
  constructor(target: string) {
    super(target)
    this.target = target
  }
}
