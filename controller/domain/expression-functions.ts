import { ownCalendar, spend, textSteps } from './expression-budget.ts'
import { dayOfYear, type LocalTime, localTime } from './local-time.ts'
import { compileRe2 } from './re2.ts'

/** The part of the engine's environment that takes functions and operators. */
interface Registry {
  registerFunction(signature: string, options: { async: boolean; handler: (...values: never[]) => unknown }): unknown
  registerOperator(signature: string, handler: (left: never, right: never) => unknown): unknown
}

/** What the engine lacks: arithmetic and equality across int and double, remainders of doubles, and linear-time patterns. */
export function registerOurFunctions(environment: Registry): void {
  const mixed: readonly [string, (left: number, right: number) => number][] = [
    ['+', (left, right) => left + right],
    ['-', (left, right) => left - right],
    ['*', (left, right) => left * right],
    ['/', (left, right) => left / right],
    ['%', remainder],
  ]
  for (const [operator, compute] of mixed) {
    const both = (left: unknown, right: unknown) => compute(Number(left), Number(right))
    environment.registerOperator(`int ${operator} double: double`, both)
    environment.registerOperator(`double ${operator} int: double`, both)
  }
  environment.registerOperator('double % double: double', (left: number, right: number) => remainder(left, right))
  // biome-ignore lint/suspicious/noDoubleEquals: 1n == 1 is the comparison of a bigint and a number by value
  environment.registerOperator('int == double: bool', (left: bigint, right: number) => left == (right as unknown))
  environment.registerFunction('re(string, string): bool', {
    async: false,
    handler: (text: string, pattern: string) => {
      spend(textSteps(text.length * (1 + pattern.length / 16)))
      return compileRe2(pattern).test(text)
    },
  })
  const timestamp = 'google.protobuf.Timestamp'
  for (const [method, read] of Object.entries(calendar)) {
    const signature = `${timestamp}.${method}${ownCalendar}`
    const handler = (at: Date, zone: string) => BigInt(read(localTime(at.getTime(), zone), at))
    environment.registerFunction(`${signature}(string): int`, { async: false, handler })
  }
  const handler = (at: Date) => BigInt(dayOfYear(localTime(at.getTime(), 'UTC')))
  environment.registerFunction(`${timestamp}.getDayOfYear${ownCalendar}(): int`, { async: false, handler })
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
