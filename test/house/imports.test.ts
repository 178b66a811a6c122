import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Import, importsOf, root, sourceFiles } from './sources.ts'

const files = sourceFiles()
const imports = files.flatMap(importsOf)
const own = imports.filter(({ isPackage }) => !isPackage)
const shipped = own.filter(({ from }) => /^(?:cli|controller|schemas)\//.test(from))

/**
 * Who may import whom (architecture, section 2). An area may always import itself. `(types)` after an area: by
 * `import type` only; a path instead of an area: that file alone.
 */
const mayImport: { readonly [area: string]: readonly string[] } = {
  schemas: [
    ...['address', 'canonical-json', 'digest', 'ids', 'json', 'resource'].map((word) => `controller/domain/${word}.ts`),
    // The doors to CEL, to templates that hold it, and to RE2.
    ...['expression', 'template', 're2'].map((door) => `controller/domain/${door}.ts`),
  ],
  'controller/domain': ['schemas (types)'],
  'controller/store': ['controller/domain'],
  'controller/tenancy': ['controller/domain', 'controller/store'],
  'controller/ledger': ['controller/domain', 'controller/store'],
  'controller/ingest': ['controller/domain', 'controller/store', 'schemas'],
  'controller/seams': ['controller/domain', 'controller/store'],
  'controller/executor': [
    'controller/domain',
    'controller/store',
    'controller/tenancy',
    'controller/ledger',
    'schemas',
  ],
  'controller/connectors': [
    ...['controller/domain', 'controller/store', 'controller/tenancy', 'schemas', 'controller/executor (types)'],
  ],
  'controller/loop': [
    ...[
      'controller/domain',
      'controller/store',
      'controller/seams',
      'controller/executor',
      'controller/ledger',
      'schemas',
    ],
  ],
  'controller/reconciler': [
    ...['controller/domain', 'controller/store', 'controller/tenancy', 'controller/executor', 'schemas'],
  ],
  // Compose: the files directly in `controller/`, and what people do with the engine. This is the façade `cli` uses.
  'controller/operations': [
    ...['controller/domain', 'controller/store', 'controller/tenancy', 'controller/ledger', 'controller/executor'],
    ...[
      'controller/reconciler',
      'controller/connectors',
      'controller/ingest',
      'controller/seams',
      'controller/loop',
      'controller',
      'schemas',
    ],
  ],
  // The doors: operations by name, and what a request is known by. What a route does is an operation's.
  'controller/api': [
    ...['controller/domain', 'controller/store', 'controller/tenancy', 'controller/ledger', 'controller/operations'],
    ...['schemas', 'controller/engine.ts'],
  ],
  controller: [
    ...['controller/domain', 'controller/store', 'controller/tenancy', 'controller/ledger', 'controller/executor'],
    ...['controller/reconciler', 'controller/api', 'controller/operations', 'schemas'],
  ],
  // One way to a deployment, over the engine of this process or over HTTP: what commands ask.
  'controller/door': ['controller/domain', 'controller/api', 'controller/operations', 'controller/engine.ts'],
  cli: ['schemas', 'controller/domain', 'controller', 'controller/door', 'controller/operations'],
}

/** Where each package enters: replacing it is the work of that place. */
const doors: { readonly [name: string]: string } = {
  '@aws-sdk/client-bedrock-runtime': 'controller/seams/model-router/bedrock.ts',
  '@fastify/rate-limit': 'controller/api/server.ts',
  '@marcbachmann/cel-js': 'controller/domain/expression.ts',
  '@modelcontextprotocol/sdk': 'controller/connectors/mcp/client.ts',
  '@oclif/core': 'cli/',
  ajv: 'schemas/',
  croner: 'controller/domain/tick-times.ts',
  fastify: 'controller/api/',
  'fastest-levenshtein': 'schemas/suggest.ts',
  'isomorphic-git': 'controller/reconciler/git/builtin-objects.ts',
  pg: 'controller/store/pool.ts',
  pino: 'controller/api/logging.ts',
  'prom-client': 'controller/api/',
  re2js: 'controller/domain/re2.ts',
  undici: 'controller/connectors/egress/send.ts',
  standardwebhooks: 'controller/ingest/verify.ts',
  yaml: 'schemas/',
}

describe('who imports whom', () => {
  test('follows the table', () => {
    const offences = new Set(shipped.filter(isForbidden).map(({ from, to }) => `${from} → ${to}`))
    expect([...offences]).toEqual([])
  })

  test('the table knows every area', () => {
    const areas = new Set(shipped.flatMap(({ from, to }) => [areaOf(from), areaOf(to)]))
    expect([...areas].filter((area) => !(area in mayImport))).toEqual([])
  })

  test('what decides knows no clock, network, environment or randomness', () => {
    const impure =
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bfetch\(|\bsetTimeout\(|'node:(?!crypto|buffer)/
    const random = /\b(?:randomBytes|randomUUID|randomInt|getRandomValues)\b/
    const offences = files
      .filter((path) => path.startsWith('controller/domain/'))
      .flatMap((path) =>
        readFileSync(`${root}/${path}`, 'utf8')
          .split('\n')
          .flatMap((line, index) =>
            (impure.test(line) || random.test(line)) && !/^\s*(?:\*|\/\/|\/\*)/.test(line)
              ? [`${path}:${index + 1}`]
              : [],
          ),
      )
    expect(offences).toEqual([])
  })

  test('goes in no circle', () => {
    expect(circles(shipped.filter(({ isType, isStarted }) => !isType && !isStarted))).toEqual([])
  })

  test('reaches every file from a door of the house', () => {
    const reached = reachableFrom(files.filter(isEntry))
    const dead = files.filter((path) => !reached.has(path) && !path.endsWith('.d.ts'))
    expect(dead).toEqual([])
  })
})

describe('packages', () => {
  const used = imports.filter(({ isPackage, from }) => isPackage && /^(?:cli|controller|schemas)\//.test(from))

  test('enter through one door each', () => {
    const offences = used.filter(({ from, to }) => !(to in doors) || !from.startsWith(doors[to]!))
    expect(offences.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  test('are all used', () => {
    const { dependencies } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { dependencies: object }
    const names = new Set(used.map(({ to }) => to))
    expect(Object.keys(dependencies).filter((name) => !names.has(name))).toEqual([])
  })
})

/** `controller/store/pool.ts` → `controller/store`; files directly in `controller/` are an area of their own. */
function areaOf(path: string): string {
  const [top = '', next = ''] = path.split('/')
  return top === 'controller' && !next.includes('.') ? `${top}/${next}` : top
}

function isForbidden({ from, to, isType }: Import): boolean {
  const area = areaOf(from)
  if (areaOf(to) === area) return false
  const allowed = mayImport[area] ?? []
  return !(
    allowed.includes(areaOf(to)) ||
    allowed.includes(to) ||
    (isType && allowed.includes(`${areaOf(to)} (types)`))
  )
}

/** Files that are started or found by their path, and so imported by nobody. */
function isEntry(path: string): boolean {
  return (
    /^cli\/(?:bin\.ts|start\.mjs|commands\/.*\.ts)$/.test(path) ||
    /^(?:scripts|bench)\/[^/]+$/.test(path) ||
    // Servers that a reader starts beside an example.
    /^examples\/[^/]+\/[^/]+$/.test(path) ||
    /\.test\.ts$/.test(path) ||
    path === 'test/support/database-server.ts'
  )
}

function reachableFrom(entries: readonly string[]): Set<string> {
  const targets = new Map<string, string[]>()
  for (const { from, to } of own) targets.set(from, [...(targets.get(from) ?? []), to])
  const reached = new Set<string>()
  const pending = [...entries]
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    // What only a test imports is not alive by that.
    pending.push(...(targets.get(path) ?? []).filter((to) => !path.startsWith('test/') || to.startsWith('test/')))
  }
  return reached
}

/** Each circle once, as the files it goes through. Two files may know each other's types: nothing of that runs. */
function circles(edges: readonly Import[]): string[] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of edges) targets.set(from, [...(targets.get(from) ?? []), to])
  const state = new Map<string, 'open' | 'done'>()
  const path: string[] = []
  const found: string[] = []
  const visit = (file: string): void => {
    state.set(file, 'open')
    path.push(file)
    for (const to of targets.get(file) ?? []) {
      if (state.get(to) === 'open') found.push([...path.slice(path.indexOf(to)), to].join(' → '))
      else if (!state.has(to)) visit(to)
    }
    path.pop()
    state.set(file, 'done')
  }
  for (const file of [...targets.keys()].sort()) if (!state.has(file)) visit(file)
  return found
}
