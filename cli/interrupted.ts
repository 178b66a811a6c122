/** A runner such as npm passes on the interrupt that the terminal sent us too: so soon, it is the same one. */
const sameInterruptMs = 1000

/**
 * Aborts at the first SIGINT or SIGTERM, for a command that has something to finish. Another one ends the process at once,
 * with 130: whatever was under way then is found and settled by whoever starts next.
 */
export function untilInterrupted(): AbortSignal {
  const stopping = new AbortController()
  let firstMs = Number.POSITIVE_INFINITY
  const interrupt = (): void => {
    const nowMs = performance.now()
    if (nowMs - firstMs > sameInterruptMs) process.exit(130)
    if (!stopping.signal.aborted) firstMs = nowMs
    stopping.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)
  return stopping.signal
}
