import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { FibricError } from './domain/errors.ts'

/** What flags may say instead of the environment. */
export interface Overrides {
  readonly databaseUrl?: string | undefined
  readonly dataDirectory?: string | undefined
}

/** Where the engine keeps its state and who asks: settled once, from flags and environment. */
export interface Config {
  readonly databaseUrl: string | null
  readonly appUrl: string | null
  readonly workerUrl: string | null
  readonly dataDirectory: string
  readonly searchPath: string
  readonly rootKeyText: string | null
  /** FIBRIC_TOKEN: an API key; without one the caller is the local identity. */
  readonly token: string | null
  readonly login: string
}

/** `home` is the folder `.fibric` lies in unless something else is said: the repository, as a rule. */
export function settleConfig(home: string, overrides: Overrides, environment: NodeJS.ProcessEnv): Config {
  const text = (name: string): string | null => environment[name] || null
  return {
    databaseUrl: overrides.databaseUrl ?? text('FIBRIC_DATABASE_URL'),
    appUrl: text('FIBRIC_DATABASE_APP_URL'),
    workerUrl: text('FIBRIC_DATABASE_WORKER_URL'),
    dataDirectory: resolve(overrides.dataDirectory ?? text('FIBRIC_DATA_DIR') ?? join(home, '.fibric')),
    searchPath: environment.PATH ?? '',
    rootKeyText: text('FIBRIC_ROOT_KEY'),
    token: text('FIBRIC_TOKEN'),
    login: loginOf(environment),
  }
}

function loginOf(environment: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username
  } catch (cause) {
    // A container may run under a number that no password file knows.
    const login = environment.USER ?? environment.LOGNAME
    if (login) return login
    throw new FibricError('USAGE', 'the system knows no name for this user', { hint: 'set USER', cause })
  }
}
