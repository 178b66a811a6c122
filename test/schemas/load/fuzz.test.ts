import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { diagnosticCodes } from '../../../schemas/codes.ts'
import { loadRepository, openParseCache, renderDiagnostics, toSarif } from '../../../schemas/load/index.ts'
import { threadMs } from '../../support/thread-time.ts'
import { memoryTree } from './memory-tree.ts'
import { sampleFiles } from './sample.ts'

const paths = Object.keys(sampleFiles).filter((path) => path.endsWith('.yaml'))

/** Loads a repository and holds the promises that hold whatever is in it. */
async function judge(files: { readonly [path: string]: string | Buffer }): Promise<void> {
  const startedAt = threadMs()
  const { diagnostics, resources } = await loadRepository(memoryTree(files))
  expect(threadMs() - startedAt).toBeLessThan(2000)
  for (const diagnostic of diagnostics) {
    const { path, line, column, endLine, endColumn, code, message } = diagnostic
    const lines = Buffer.from(files[path] as string)
      .toString('utf8')
      .split('\n')
    expect(diagnosticCodes).toHaveProperty(code)
    expect(line, message).toBeGreaterThanOrEqual(1)
    expect(line, message).toBeLessThanOrEqual(lines.length)
    // UTF-16 and byte order marks are shown decoded, so the line on disk may look longer or shorter there.
    expect(column, message).toBeLessThanOrEqual(
      Math.max(lines[line - 1]!.length, code === 'INVALID_UTF8' ? 1e9 : 0) + 1,
    )
    expect(endLine > line || (endLine === line && endColumn >= column), message).toBe(true)
    expect(message).not.toContain('\n')
  }
  expect(new Set(resources.map(({ address }) => address)).size).toBe(resources.length)
  renderDiagnostics(diagnostics, { color: true })
  toSarif(diagnostics, '0.0.0')
}

/** Pieces that mean something to YAML, to JSON Schema, to CEL or to us. */
const pieces = fc.oneof(
  fc.constantFrom(
    ...[
      '---\n',
      '...\n',
      '- ',
      '? ',
      ': ',
      '\n',
      '\n  ',
      '\t',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '&a ',
      '*a',
      '!x ',
      '!!str ',
      '|\n',
      '>-\n',
    ],
    ...[
      '#',
      '%YAML 1.1\n',
      '<<: ',
      '${',
      '}',
      '$${',
      'null',
      '~',
      '1e999',
      '.inf',
      '0x',
      'true',
      'apiVersion: ',
      'kind: Tenant\n',
    ],
    ...[
      'metadata: ',
      'spec: ',
      'name: ',
      '\r',
      '\r\n',
      '\u0000',
      '\ufeff',
      '\u2028',
      '\ud83d',
      '__proto__: ',
      'constructor: ',
      '../',
      '@',
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
)

const mutation = fc.record({
  path: fc.constantFrom(...paths),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat(30),
  put: pieces,
})

test('mutated documents end in diagnostics with places, never in an error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (mutations) => {
      const files: { [path: string]: string } = { ...sampleFiles }
      for (const { path, at, cut, put } of mutations) {
        const text = files[path]!
        const offset = Math.floor(at * text.length)
        files[path] = text.slice(0, offset) + put + text.slice(offset + cut)
      }
      await judge(files)
    }),
    { numRuns: 400 },
  )
})

test('documents with values of any type in any place end in diagnostics, never in an error', async () => {
  const kinds = [
    'Tenant',
    'Connector',
    'Connection',
    'Operator',
    'TrustPolicy',
    'User',
    'Skill',
    'Asset',
    'ModelPolicy',
    'Deployment',
    'Schedule',
    'Template',
    'Grant',
  ]
  const fields = [
    'hosts',
    'sandboxOf',
    'sandboxes',
    'tools',
    'events',
    'mcp',
    'command',
    'config',
    'connector',
    'bindings',
    'sense',
    'trigger',
    'on',
    'capabilities',
    'reason',
    'rules',
    'when',
    'emails',
    'signingKeys',
    'oidc',
    'python',
    'entry',
    'file',
    'aliases',
    'perTenant',
    'version',
    'hostDomains',
    'git',
    'signers',
    'resources',
    'of',
    'kind',
    'name',
    '__proto__x',
    'toString',
  ]
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        fc.constant(null),
        fc.constantFrom('shop@1.0.0', '${event.x}', 'acme'),
      ),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...fields), tie('value'), { maxKeys: 5 }),
    ),
  }))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...kinds), value, value, fc.boolean(), async (kind, metadata, spec, named) => {
      const document = { apiVersion: 'fibric.io/v1', kind, metadata: named ? { name: 'acme' } : metadata, spec }
      const path = kind === 'Deployment' ? 'fibric.json' : 'tenants/acme/subject.json'
      await judge({ ...sampleFiles, [path]: JSON.stringify(document) })
    }),
    { numRuns: 400 },
  )
})

test('random bytes end in diagnostics with places, never in an error', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 400 }),
      fc.constantFrom('', 'apiVersion: ', '{"apiVersion": "fibric.io/v1", "kind": '),
      async (bytes, head) => {
        const content = Buffer.concat([Buffer.from(head), Buffer.from(bytes)])
        await judge({ 'tenants/acme/a.yaml': content, 'tenants/acme/b.json': content, 'fibric.yaml': content })
      },
    ),
    { numRuns: 300 },
  )
})

test('nothing is written but the cache', async () => {
  const root = mkdtempSync(join(tmpdir(), 'fibric-fuzz-'))
  try {
    await loadRepository(memoryTree({ 'tenants/acme/a.yaml': 'apiVersion: [' }), {
      cache: openParseCache(join(root, '.fibric', 'cache')),
    })
    expect(readdirSync(root, { recursive: true }).sort()).toEqual([
      '.fibric',
      '.fibric/cache',
      '.fibric/cache/.gitignore',
      '.fibric/cache/documents.json',
      expect.stringMatching(/^\.fibric\/cache\/repository-[0-9a-f]{16}\.json$/),
    ])
  } finally {
    rmSync(root, { recursive: true })
  }
})
