import { type DestinationStream, destination, type Logger, pino } from 'pino'

/**
 * One line of JSON an event, to stderr: stdout is for people. Never a header, a query or a body; and whatever looks like
 * one of our keys is taken out of the line all the same.
 */
export function apiLogger(level: string, stream: DestinationStream = destination({ fd: 2, sync: true })): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '…' },
      serializers: { error: errorForLog },
      hooks: { streamWrite: (line) => line.replaceAll(keyPattern, 'sk_…') },
    },
    stream,
  )
}

const secretFields = ['authorization', 'cookie', 'secret', 'token', 'password']
const keyPattern = /sk_(?:live|test)_[0-9A-Za-z_]+/g

/** An error with what caused it, down to the first that explains it. */
function errorForLog(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: unknown }
  return {
    name: error.name,
    ...(code !== undefined && { code }),
    message: error.message,
    stack: error.stack,
    ...(error.cause !== undefined && { cause: errorForLog(error.cause) }),
  }
}
