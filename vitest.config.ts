import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/crash/**', 'test/sim/**', 'node_modules/**'],
    globalSetup: ['test/support/database-server.ts'],
    // For one that hangs: properties take a minute beside three others on two cores.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Tests wait for PostgreSQL and for processes more than they compute.
    maxWorkers: 3,
  },
})
