import { ownCalendar, spend, textSteps } from './expression-budget.ts'
import { dayOfYear, type LocalTime, localTime } from './local-time.ts'
import { compileRe2 } from './re2.ts'

/** How functions and operators get into the engine's environment. */
interface Registry {
  addFunction(signature: string, handler: (...values: never[]) => unknown): void
  addOperator(signature: string, handler: (left: never, right: never) => unknown): void
}

/** What the engine lacks: arithmetic and equality across int and double, remainders of doubles, and linear-time patterns. */
export function registerOurFunctions(registry: Registry): void {
  const mixed: readonly [string, (left: number, right: number) => number][] = [
    ['+', (left, right) => left + right],
    ['-', (left, right) => left - right],
    ['*', (left, right) => left * right],
    ['/', (left, right) => left / right],
    ['%', remainder],
  ]
  for (const [operator, compute] of mixed) {
    const both = (left: unknown, right: unknown) => compute(Number(left), Number(right))
    registry.addOperator(`int ${operator} double: double`, both)
    registry.addOperator(`double ${operator} int: double`, both)
  }
  registry.addOperator('double % double: double', (left: number, right: number) => remainder(left, right))
  // biome-ignore lint/suspicious/noDoubleEquals: 1n == 1 is the comparison of a bigint and a number by value
  registry.addOperator('int == double: bool', (left: bigint, right: number) => left == (right as unknown))
  registry.addFunction('re(string, string): bool', (text: string, pattern: string) => {
    spend(textSteps(text.length * (1 + pattern.length / 16)))
    return compileRe2(pattern).test(text)
  })
  const timestamp = 'google.protobuf.Timestamp'
  for (const [method, read] of Object.entries(calendar)) {
    const handler = (at: Date, zone: string) => BigInt(read(localTime(at.getTime(), zone), at))
    registry.addFunction(`${timestamp}.${method}${ownCalendar}(string): int`, handler)
  }
  registry.addFunction(`${timestamp}.getDayOfYear${ownCalendar}(): int`, (at: Date) =>
    BigInt(dayOfYear(localTime(at.getTime(), 'UTC'))),
  )
}

const calendar: { readonly [method: string]: (local: LocalTime, at: Date) => number } = {
  getDate: ({ date }) => date,
  getDayOfMonth: ({ date }) => date - 1,
  getDayOfWeek: ({ day }) => day,
  getDayOfYear: dayOfYear,
  getFullYear: ({ year }) => year,
  getHours: ({ hours }) => hours,
  getMilliseconds: (_, at) => at.getUTCMilliseconds(),
  getMinutes: ({ minutes }) => minutes,
  getMonth: ({ month }) => month,
  getSeconds: ({ seconds }) => seconds,
}

function remainder(left: number, right: number): number {
  if (right === 0) throw new Error('modulo by zero')
  return left % right
}
