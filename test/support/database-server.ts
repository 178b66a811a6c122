import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startEmbedded } from '../../controller/store/embedded/server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The data directory of the run's one server; the first test that needs a database brings it up. */
    databaseDirectory: string
  }
}

/** Names the folder of the run's server, and ends and removes it with the run. Pure tests never start one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'fibric-test-'))
  const databaseDirectory = join(folder, 'data')
  project.provide('databaseDirectory', databaseDirectory)
  return async () => {
    if (existsSync(join(databaseDirectory, 'postgres', 'postmaster.pid'))) {
      const server = await startEmbedded({ dataDirectory: databaseDirectory })
      await server.stop()
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
