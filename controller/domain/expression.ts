import { Environment } from '@marcbachmann/cel-js'
import { type ExpressionNode, meterOperands, meterSteps, ownCalendar, underBudget } from './expression-budget.ts'
import { registerOurFunctions } from './expression-functions.ts'
import { celTypeOf, type JsonSchema } from './expression-types.ts'
import { isJsonObject, type Json } from './json.ts'
import { compileRe2 } from './re2.ts'

export type { JsonSchema } from './expression-types.ts'

/** Values an expression may name: JSON, and `now` as a Date (a CEL timestamp). */
export interface ExpressionNames {
  readonly [name: string]: Json | Date
}

/** An expression that parses; its types are not known before it runs. */
export interface CompiledExpression {
  readonly source: string
  /** The raw engine value; use `evaluate`. */
  readonly run: (names: ExpressionNames) => unknown
}

/** Where the value of an expression ends up, and what its names hold: a JSON Schema each, null when nothing is known. */
export interface ExpressionScope {
  readonly names: { readonly [name: string]: JsonSchema | null }
  readonly result: 'boolean' | 'number' | 'any'
}

export interface ExpressionProblem {
  readonly message: string
  /** UTF-16 code units from the start of the source. */
  readonly offset: number
  readonly length: number
  readonly hint: string | null
}

/** An expression that cannot be parsed, or that failed when it ran. */
export class ExpressionError extends Error {
  readonly offset: number
  readonly length: number
  readonly hint: string | null

  constructor(problem: ExpressionProblem, cause?: unknown) {
    super(problem.message, cause === undefined ? undefined : { cause })
    this.name = 'ExpressionError'
    this.offset = problem.offset
    this.length = problem.length
    this.hint = problem.hint
  }
}

export const expressionBytesMax = 4096
const nodesMax = 200
const depthMax = 50
const cacheSizeMax = 10_000

/** Compiles an expression (kept in a bounded cache). Throws an `ExpressionError` with a position. */
export function compileExpression(source: string): CompiledExpression {
  const known = compiled.get(source)
  if (known !== undefined) return known
  const { parsed, nodes } = parse(untyped, source)
  const checked = parsed.check()
  if (!checked.valid) throw new ExpressionError(problemOf(checked.error, source), checked.error)
  meterOperands(nodes)
  const expression: CompiledExpression = { source, run: (names) => parsed(names) }
  if (compiled.size >= cacheSizeMax) compiled.delete(compiled.keys().next().value as string)
  compiled.set(source, expression)
  return expression
}

/** The value of an expression as JSON. Throws an `ExpressionError`; bounded in time whatever source and names are. */
export function evaluate(expression: CompiledExpression, names: ExpressionNames): Json {
  try {
    const value = underBudget(() => expression.run(names))
    return typeof value === 'boolean' || typeof value === 'string' ? value : toJson(value)
  } catch (error) {
    if (error instanceof ExpressionError) throw error
    throw new ExpressionError(problemOf(error, expression.source), error)
  }
}

/** Every problem that can be found before an expression runs: syntax, names, and types as far as schemas give them. */
export function checkExpression(source: string, scope: ExpressionScope): ExpressionProblem[] {
  try {
    const { parsed, nodes } = parse(environmentFor(scope.names), source)
    const checked = parsed.check()
    if (!checked.valid) return [withHint(problemOf(checked.error, source), scope)]
    return [...resultProblems(checked.type ?? 'dyn', scope.result, source), ...patternProblems(nodes)]
  } catch (error) {
    if (!(error instanceof ExpressionError)) return [problemOf(error, source)]
    return [{ message: error.message, offset: error.offset, length: error.length, hint: error.hint }]
  }
}

/** Whether CEL uses this word itself (`int`, `list`, `type` …): a name in scope may not be one of them. */
export function isReservedName(name: string): boolean {
  return untyped.hasVariable(name)
}

const compiled = new Map<string, CompiledExpression>()
const environments = new WeakMap<ExpressionScope['names'], Environment>()

const options = {
  // JSON lists and objects hold what they hold.
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: nodesMax, maxDepth: depthMax, maxListElements: nodesMax, maxMapEntries: nodesMax },
}
const untyped = new Environment({ ...options, unlistedVariablesAreDyn: true })
registerOurFunctions(registryOf(untyped))
const typed = new Environment(options)
registerOurFunctions(registryOf(typed))
registerMixedMembership(typed)

function registryOf(environment: Environment): Parameters<typeof registerOurFunctions>[0] {
  return {
    addFunction: (signature, handler) => environment.registerFunction(signature, { async: false, handler }),
    // The signature says what the engine will pass; its types do not.
    addOperator: (signature, handler) =>
      environment.registerOperator(signature, handler as (left: unknown, right: unknown) => unknown),
  }
}

/** For the checker alone: running, the engine compares numbers by value, and a second overload would be ambiguous. */
function registerMixedMembership(environment: Environment): void {
  const never = () => false
  environment.registerOperator('double in list<int>: bool', never)
  environment.registerOperator('int in list<double>: bool', never)
}

function parse(environment: Environment, source: string) {
  const bytes = Buffer.byteLength(source)
  if (bytes > expressionBytesMax) {
    const message = `expression of ${bytes} bytes, over ${expressionBytesMax}`
    throw new ExpressionError({ message, offset: 0, length: source.length, hint: null })
  }
  try {
    const parsed = environment.parse(source)
    const { nodes, problems } = meterSteps(parsed.ast as unknown as ExpressionNode)
    const [first] = problems
    if (first !== undefined) throw new ExpressionError(problemAt(first.node, first.message, first.hint))
    return { parsed, nodes }
  } catch (error) {
    if (error instanceof ExpressionError) throw error
    throw new ExpressionError(problemOf(error, source), error)
  }
}

function environmentFor(names: ExpressionScope['names']): Environment {
  const known = environments.get(names)
  if (known !== undefined) return known
  const environment = typed.clone()
  let objects = 0
  for (const [name, schema] of Object.entries(names)) {
    const type = celTypeOf(schema, (fields) => {
      const typeName = `Object${++objects}`
      environment.registerType(typeName, { fields })
      return typeName
    })
    environment.registerVariable(name, name === 'now' ? 'google.protobuf.Timestamp' : type)
  }
  environments.set(names, environment)
  return environment
}

const resultTypes = {
  boolean: ['bool', 'dyn'],
  number: ['int', 'uint', 'double', 'dyn'],
} as const satisfies Record<string, readonly string[]>

function resultProblems(type: string, wanted: ExpressionScope['result'], source: string): ExpressionProblem[] {
  if (wanted === 'any' || (resultTypes[wanted] as readonly string[]).includes(type)) return []
  const message = `the expression is ${inOurWords(type)}, not a ${wanted}`
  return [{ message, offset: 0, length: source.length, hint: null }]
}

function patternProblems(nodes: readonly ExpressionNode[]): ExpressionProblem[] {
  const problems: ExpressionProblem[] = []
  for (const node of nodes) {
    if (node.op !== 'call') continue
    const [name, operands] = node.args as [string, readonly ExpressionNode[]]
    const pattern = operands[1]
    if (name !== 're' || pattern?.op !== 'value') continue
    try {
      compileRe2(String(pattern.args))
    } catch (error) {
      problems.push(
        problemAt(pattern, (error as Error).message, 'patterns are RE2: no look-around, no back-references'),
      )
    }
  }
  return problems
}

function withHint(problem: ExpressionProblem, scope: ExpressionScope): ExpressionProblem {
  if (/\bint\b/.test(problem.message) && problem.message.includes('double')) {
    return { ...problem, hint: 'numbers in data are doubles: write 1.0 beside them, and int(x) for an index' }
  }
  if (!problem.message.startsWith('unknown variable')) return problem
  const names = Object.keys(scope.names).sort()
  return { ...problem, hint: names.length === 0 ? 'no names are in scope here' : `in scope: ${names.join(', ')}` }
}

function problemOf(error: unknown, source: string): ExpressionProblem {
  const { summary, range, message } = error as { summary?: string; range?: { start: number; end: number } } & Error
  const offset = Math.min(range?.start ?? 0, source.length)
  const end = Math.min(Math.max(range?.end ?? source.length, offset), source.length)
  return { message: inOurWords(summary ?? message), offset, length: Math.max(1, end - offset), hint: null }
}

function problemAt(node: ExpressionNode, message: string, hint: string | null): ExpressionProblem {
  return { message, offset: node.start, length: node.end - node.start, hint }
}

/** The engine's message in the style of ours: one line, lower case, JSON's names for types. */
function inOurWords(message: string): string {
  const line = message
    .split('\n', 1)[0]!
    .replace(/\bObject\d+\b/g, 'object')
    .replaceAll(ownCalendar, '')
  return /^[A-Z][a-z]/.test(line) ? line[0]!.toLowerCase() + line.slice(1) : line
}

function toJson(value: unknown): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value)) throw new Error(`the result is ${value}, which JSON cannot carry`)
      return value
    case 'bigint': {
      const number = Number(value)
      if (!Number.isSafeInteger(number)) throw new Error(`the result is ${value}, which JSON cannot carry exactly`)
      return number
    }
    case 'object':
      if (value === null) return null
      if (Array.isArray(value)) return value.map(toJson)
      if (value instanceof Date) return value.toISOString()
      if (isJsonObject(value) && isPlain(value)) {
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
      }
      return otherToJson(value)
    default:
      throw new Error(`the result is a ${typeof value}, which JSON cannot carry`)
  }
}

/** The engine's own classes: an unsigned integer is a number, a duration its text; bytes and types have no JSON form. */
function otherToJson(value: object): Json {
  const primitive: unknown = value.valueOf()
  if (typeof primitive === 'bigint') return toJson(primitive)
  if (Object.prototype.toString.call(value) === '[object google.protobuf.Duration]') return String(value)
  throw new Error('the result is neither text, number, boolean, list nor map')
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
