/** The parts of a parsed CEL node that the budget needs; the parser's own type says less than it does. */
export interface ExpressionNode {
  readonly op: string
  args: unknown
  readonly start: number
  readonly end: number
  readonly meta: { readonly alternate?: ExpressionNode; readonly macro?: ExpressionMacro }
  left?: ExpressionNode
  right?: ExpressionNode
  handle?: Handle
  checkedType?: unknown
  readonly maybeAsync: boolean
  check(checker: unknown, node: ExpressionNode, context: unknown): unknown
  evaluate(evaluator: unknown, node: ExpressionNode, context: unknown): unknown
  setMeta(key: string, value: unknown): ExpressionNode
}

interface ExpressionMacro {
  readonly args?: readonly ExpressionNode[]
  readonly val?: ExpressionNode
  readonly exp?: ExpressionNode
}

interface Comprehension {
  readonly iterable: ExpressionNode
  readonly init: ExpressionNode
  step: ExpressionNode
}

type Handle = (...operands: unknown[]) => unknown

/** Steps one evaluation may take: list items visited, weighed by the size of the body, and data walked through. */
export const stepsMax = 10_000
/** How deep one comprehension may stand inside another. */
export const comprehensionDepthMax = 2

/**
 * Ends the names of the calendar methods that stand in for the engine's: those go through the time zone of the process,
 * which an evaluation must not depend on.
 */
export const ownCalendar = 'InZone'

const nodesPerStep = 10
const charactersPerStep = 256
const itemsPerStep = 32
/** A time zone seen for the first time needs a formatter. */
const timeZoneSteps = 20
/**
 * How deep a value may nest where the engine names its type (operands, arguments): it keeps every type it ever named,
 * so unbounded nesting would be a leak fed by payloads.
 */
const operandDepthMax = 8

// Made once: a thrown error without a stack costs nothing, and an exhausted evaluation may throw it for every item left.
const exhausted = new Error(`more than ${stepsMax} steps`)
const tooDeep = new Error(`a value nested over ${operandDepthMax} levels cannot be compared or passed`)

let remaining = 0

/** Runs one evaluation under a fresh budget. An operator that swallows errors (`||`, `exists`) cannot hide an overrun. */
export function underBudget<T>(run: () => T): T {
  remaining = stepsMax
  const result = run()
  if (remaining < 0) throw exhausted
  return result
}

export function spend(steps: number): void {
  remaining -= steps
  if (remaining < 0) throw exhausted
}

/** Steps for looking at `characters` of text once. */
export function textSteps(characters: number): number {
  return characters / charactersPerStep
}

export interface NodeProblem {
  readonly node: ExpressionNode
  readonly message: string
  readonly hint: string | null
}

/**
 * Prepares a parsed tree: finds what is not allowed in it, and puts the budget into the bodies of its comprehensions.
 * Call before the tree is type-checked; afterwards `meterOperands` covers the rest.
 */
export function meterSteps(root: ExpressionNode): { nodes: ExpressionNode[]; problems: NodeProblem[] } {
  const nodes: ExpressionNode[] = []
  const problems: NodeProblem[] = []
  visit(root, 0)
  return { nodes, problems }

  function visit(node: ExpressionNode, depth: number): void {
    nodes.push(node)
    // All our functions are synchronous; saying so spares the engine a promise test at every node.
    node.setMeta('async', false)
    if (node.op === 'rcall' && (node.args as [string])[0] === 'matches') {
      problems.push({ node, message: '`matches` is not available', hint: 'write re(text, "pattern") in RE2 syntax' })
    }
    if (usesCalendar(node)) (node.args as [string])[0] += ownCalendar
    if (node.meta.alternate !== undefined) visitComprehension(node.meta.alternate, depth)
    else for (const child of childrenOf(node)) visit(child, depth)
  }

  function visitComprehension(node: ExpressionNode, depth: number): void {
    nodes.push(node)
    node.setMeta('async', false)
    const comprehension = node.args as Comprehension
    if (depth === comprehensionDepthMax) {
      problems.push({ node, message: `comprehensions nest over ${comprehensionDepthMax} levels`, hint: null })
      return
    }
    visit(comprehension.iterable, depth)
    visit(comprehension.init, depth)
    const before = nodes.length
    visit(comprehension.step, depth + 1)
    comprehension.step = counted(comprehension.step, Math.max(1, (nodes.length - before) / nodesPerStep))
  }
}

/** Charges every operator and call of a checked tree for the data it walks through. */
export function meterOperands(nodes: readonly ExpressionNode[]): void {
  for (const node of nodes) {
    if (node.op === '||' || node.op === '&&') {
      node.left = booleanOnly(node.left!)
      node.right = booleanOnly(node.right!)
      continue
    }
    const { handle } = node
    if (handle === undefined || node.op === '.' || node.op === '[]') continue
    if (node.op === 'call') node.handle = meteredCall(handle, 0)
    else if (node.op === 'rcall') node.handle = meteredCall(handle, usesTimeZone(node) ? timeZoneSteps : 0)
    else if (node.op === '?:') node.handle = meteredCondition(handle)
    else if (node.op === '!_' || node.op === '-_') node.handle = meteredUnary(handle)
    else if (node.op !== 'comprehension') node.handle = meteredBinary(handle)
  }
}

/** A stand-in for the body of a comprehension that pays before each item. */
function counted(step: ExpressionNode, steps: number): ExpressionNode {
  const node = {
    op: step.op,
    args: step.args,
    start: step.start,
    end: step.end,
    meta: step.meta,
    maybeAsync: false,
    checkedType: undefined as unknown,
    check(checker: unknown, _node: ExpressionNode, context: unknown) {
      step.checkedType = step.check(checker, step, context)
      return step.checkedType
    },
    evaluate(evaluator: unknown, _node: ExpressionNode, context: unknown) {
      spend(steps)
      return step.evaluate(evaluator, step, context)
    },
    setMeta(key: string, value: unknown) {
      step.setMeta(key, value)
      return node
    },
  }
  return node
}

/** The engine names the type of a wrong operand in its message; ours does not look at it. */
function booleanOnly(operand: ExpressionNode): ExpressionNode {
  return {
    ...operand,
    op: operand.op,
    args: operand.args,
    start: operand.start,
    end: operand.end,
    meta: operand.meta,
    maybeAsync: false,
    check: (checker, _node, context) => operand.check(checker, operand, context),
    setMeta: (key, value) => operand.setMeta(key, value),
    evaluate(evaluator, _node, context) {
      const value = operand.evaluate(evaluator, operand, context)
      if (typeof value !== 'boolean') throw new Error('an operand of && or || is not a boolean')
      return value
    },
  }
}

function meteredCall(handle: Handle, steps: number): Handle {
  return (operands, second, third) => {
    let cost = steps
    for (const operand of operands as readonly unknown[]) cost += sizeOf(operand)
    if (cost > 0) spend(cost)
    const result = handle(operands, second, third)
    if (typeof result === 'object' && result !== null) spend(sizeOf(result))
    return result
  }
}

function meteredBinary(handle: Handle): Handle {
  return (left, right, node, evaluator) => {
    const cost = sizeOf(left) + sizeOf(right)
    if (cost > 0) spend(cost)
    return handle(left, right, node, evaluator)
  }
}

function meteredUnary(handle: Handle): Handle {
  return (operand, node, evaluator) => {
    if (typeof operand === 'object') throw new Error('an operand of ! or - is not a boolean or number')
    return handle(operand, node, evaluator)
  }
}

function meteredCondition(handle: Handle): Handle {
  return (condition, evaluator, node, context) => {
    if (typeof condition !== 'boolean') throw new Error('a condition is not a boolean')
    return handle(condition, evaluator, node, context)
  }
}

/** Steps for walking a whole value once; stops counting where the budget ends. */
function sizeOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return value.length < charactersPerStep ? 0 : value.length / charactersPerStep
    case 'object':
      if (value === null) return 0
      if (value instanceof Uint8Array) return value.length / charactersPerStep
      return isContainer(value) ? containerSize(value, 0, remaining) : 0
    default:
      return 0
  }
}

function containerSize(container: object, depth: number, limit: number): number {
  if (depth === operandDepthMax) throw tooDeep
  const items: readonly unknown[] = Array.isArray(container) ? container : Object.values(container)
  let size = items.length / itemsPerStep
  for (const item of items) {
    if (size > limit) return size
    if (typeof item === 'string') size += item.length / charactersPerStep
    else if (typeof item === 'object' && item !== null && isContainer(item)) {
      size += containerSize(item, depth + 1, limit - size)
    }
  }
  return size
}

function isContainer(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function usesTimeZone(node: ExpressionNode): boolean {
  return (node.args as [string])[0].endsWith(ownCalendar)
}

function usesCalendar(node: ExpressionNode): boolean {
  if (node.op !== 'rcall') return false
  const [method, , callArguments] = node.args as [string, ExpressionNode, readonly ExpressionNode[]]
  return /^get[A-Z]/.test(method) && (callArguments.length === 1 || method === 'getDayOfYear')
}

function childrenOf(node: ExpressionNode): readonly ExpressionNode[] {
  const { macro } = node.meta
  if (macro !== undefined) {
    if (macro.val !== undefined && macro.exp !== undefined) return [macro.val, macro.exp]
    return macro.args ?? []
  }
  switch (node.op) {
    case 'value':
    case 'id':
    case 'accuValue':
    case 'accuInc':
      return []
    case 'accuPush':
    case '!_':
    case '-_':
      return [node.args as ExpressionNode]
    case '.':
      return [(node.args as [ExpressionNode])[0]]
    case 'call':
      return (node.args as [string, readonly ExpressionNode[]])[1]
    case 'rcall': {
      const [, receiver, callArguments] = node.args as [string, ExpressionNode, readonly ExpressionNode[]]
      return [receiver, ...callArguments]
    }
    case 'map':
      return (node.args as readonly (readonly ExpressionNode[])[]).flat()
    default:
      return node.args as readonly ExpressionNode[]
  }
}
