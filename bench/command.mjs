// Runs one command line of fibric as `bin/fibric` would, and notes at its end what it took in the file BENCH_OUT names.
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  const peakMb = Math.round(maxRSS / 1024)
  const cpuMs = Math.round((userCPUTime + systemCPUTime) / 1000)
  writeFileSync(process.env.BENCH_OUT, JSON.stringify({ peakMb, cpuMs }))
})
await import('../cli/start.mjs')
