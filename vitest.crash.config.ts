import { defineConfig } from 'vitest/config'

/** Processes are killed here, hundreds of them: minutes, so it is no part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/crash/**/*.test.ts'],
    globalSetup: ['test/support/database-server.ts'],
    // For one that hangs: the longest takes seven minutes beside another on two cores.
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
