import { describe, expect, test } from 'vitest'
import { diagnosticCodes } from '../../../schemas/codes.ts'
import { loadRepository } from '../../../schemas/load/index.ts'
import { byteRows } from '../../corpus/bytes.ts'
import { documentRows } from '../../corpus/documents.ts'
import { expressionRows } from '../../corpus/expressions.ts'
import { repositoryRows } from '../../corpus/repository.ts'
import type { CorpusRow, ExpectedPlace } from '../../corpus/row.ts'
import { yamlRows } from '../../corpus/yaml.ts'
import { threadMs } from '../../support/thread-time.ts'
import { memoryTree } from './memory-tree.ts'

const rows = [...byteRows, ...yamlRows, ...documentRows, ...expressionRows, ...repositoryRows]

describe('malformed input', () => {
  test('is a corpus of at least 150 named inputs', () => {
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
    expect(rows.length).toBeGreaterThanOrEqual(150)
  })

  test.each(rows)('$name is reported at its place and nowhere else', async (row) => {
    const { files, expected } = prepared(row)
    const startedAt = threadMs()
    const { diagnostics } = await loadRepository(memoryTree(files))
    expect(threadMs() - startedAt).toBeLessThan(5000)
    expect(diagnostics.map(({ code, path, line, column }) => ({ code, path, line, column }))).toEqual(expected)
    for (const { code, message, hint } of diagnostics) {
      expect(diagnosticCodes).toHaveProperty(code)
      expect(`${message}${hint}`).not.toMatch(/\n|\bat .*\.(ts|js):\d/)
    }
  })
})

const marker = /⟦([A-Z_0-9]+)⟧/

/** The files without their markers, and what the markers and the row expect, in the order of diagnostics. */
function prepared(row: CorpusRow): { files: { [path: string]: string | Buffer }; expected: ExpectedPlace[] } {
  const files: { [path: string]: string | Buffer } = {}
  const expected: ExpectedPlace[] = [...(row.expected ?? [])]
  const tenant = 'apiVersion: fibric.io/v1\nkind: Tenant\nmetadata: {name: acme}\n'
  for (const [path, content] of Object.entries({
    ...(row.bare ? {} : { 'tenants/acme/acme.yaml': tenant }),
    ...row.files,
  })) {
    let text = content
    for (let match = markerIn(text); match; match = markerIn(text)) {
      const before = (text as string).slice(0, match.index)
      const line = before.split('\n').length
      expected.push({ code: match[1]!, path, line, column: before.length - before.lastIndexOf('\n') })
      text = before + (text as string).slice(match.index + match[0].length)
    }
    files[path] = text
  }
  const key = ({ path, line, column, code }: ExpectedPlace) =>
    `${path}\0${String(line).padStart(9)}\0${String(column).padStart(9)}\0${code}`
  return { files, expected: expected.sort((a, b) => (key(a) < key(b) ? -1 : 1)) }
}

function markerIn(text: string | Buffer): RegExpExecArray | null {
  return typeof text === 'string' ? marker.exec(text) : null
}
