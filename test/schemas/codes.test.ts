import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { diagnosticCodes } from '../../schemas/codes.ts'
import { problemCodes } from '../../schemas/index.ts'

const sources = globSync('schemas/**/*.ts', { exclude: ['schemas/codes.ts', 'schemas/generated/**'] }).map((path) =>
  readFileSync(path, 'utf8'),
)
const written = new Set(
  sources.flatMap((text) => [...text.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map(([, code]) => code!)),
)

test('every code that is reported is registered with its meaning', () => {
  for (const code of problemCodes) expect(diagnosticCodes).toHaveProperty(code)
})

test('every registered code is reported somewhere', () => {
  expect(Object.keys(diagnosticCodes).filter((code) => !written.has(code))).toEqual([])
})
