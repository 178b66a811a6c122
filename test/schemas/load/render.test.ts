import { describe, expect, test } from 'vitest'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'
import { loadRepository, renderDiagnostics, toSarif } from '../../../schemas/load/index.ts'
import { memoryTree } from './memory-tree.ts'
import { sampleFiles } from './sample.ts'

async function sampleDiagnostics(): Promise<readonly Diagnostic[]> {
  const { diagnostics } = await loadRepository(
    memoryTree({
      ...sampleFiles,
      'tenants/acme/a.yaml': 'apiVersion: fibric.io/v1\nkind: Workspace\nmetadata: {name: twice}\n',
      'tenants/acme/b.yaml': 'apiVersion: fibric.io/v1\nkind: Workspace\nmetadata: {name: twice}\n',
      'tenants/acme/c.yaml':
        'apiVersion: fibric.io/v1\nkind: User\nmetadata: {name: u}\nspec:\n\n  displayName: "日本"\n  roles: ["日本", approvr]\n',
      'tenants/acme/operators/order-risk.yaml': sampleFiles['tenants/acme/operators/order-risk.yaml']!.replace(
        'order.total',
        'order.totl',
      ).replace('[order.read, order.hold]', '[order.read, order.hold, order.cancel]'),
    }),
  )
  return diagnostics
}

describe('renderDiagnostics', () => {
  test('shows code, message, place, line, related places and hint', async () => {
    await expect(renderDiagnostics(await sampleDiagnostics(), { color: false })).toMatchFileSnapshot(
      '../../golden/schemas/diagnostics.txt',
    )
  })

  test('colours without changing a letter', async () => {
    const diagnostics = await sampleDiagnostics()
    const colored = renderDiagnostics(diagnostics, { color: true })
    expect(colored).toContain('\u001b[1;31m')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the colours
    expect(colored.replace(/\u001b\[[\d;]*m/g, '')).toBe(renderDiagnostics(diagnostics, { color: false }))
  })

  test('lets no document write to the terminal', () => {
    const hostile: Diagnostic = {
      ...{ code: 'WRONG_TYPE', severity: 'error', message: 'a\u001b[2Jb', hint: 'c\u202ed', path: 'x\n.yaml' },
      ...{ line: 1, column: 1, endLine: 1, endColumn: 2, snippet: '\u001b]0;title\u0007', related: [] },
    }
    const text = renderDiagnostics([hostile], { color: false })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
  })

  test('says nothing about nothing', () => {
    expect(renderDiagnostics([], { color: true })).toBe('')
  })
})

test('toSarif gives each diagnostic a rule, a level and a region', async () => {
  await expect(JSON.stringify(toSarif(await sampleDiagnostics(), '0.0.0'), null, 2)).toMatchFileSnapshot(
    '../../golden/schemas/diagnostics.sarif.json',
  )
})
