/**
 * Milliseconds of processor time that this thread has used. A bound on work is held against this: what else a busy machine
 * runs beside it does not count.
 */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
