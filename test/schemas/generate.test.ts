import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exportSchemas, kinds } from '../../schemas/index.ts'
import { generatedFiles } from '../../scripts/generate/files.ts'
import { minimal } from './documents.ts'

const root = join(import.meta.dirname, '../..')

test('what is generated is what is committed, byte for byte', async () => {
  const stale: string[] = []
  const files = await generatedFiles(root)
  for (const [path, text] of files) if (readFileSync(join(root, path), 'utf8') !== text) stale.push(path)
  expect(stale, 'run `npm run generate`').toEqual([])
  const folders = ['schemas/generated', 'docs/reference'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  )
  expect(folders.sort()).toEqual([...files.keys()].sort())
})

test('the validators load without a compiler of schemas', () => {
  const program = `
    await import(${JSON.stringify(join(root, 'schemas/index.ts'))})
    const { createRequire } = await import('node:module')
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('/ajv/dist/'))
    process.stdout.write(JSON.stringify(loaded.filter((path) => !path.includes('/runtime/'))))`
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })).toBe('[]')
})

test('the exported schemas are complete and accept the smallest document of every kind', async () => {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const schemas = exportSchemas()
  expect([...schemas.keys()].sort()).toEqual([...kinds.map(({ kind }) => `${kind}.json`), 'fibric.json'].sort())
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, formats: { 'date-time': true, email: true } })
  for (const schema of schemas.values()) ajv.addSchema(schema)
  for (const { kind } of kinds) {
    const { name = 'some-name', spec } = minimal[kind]
    const document = { apiVersion: 'fibric.io/v1', kind, metadata: { name }, spec }
    for (const file of [`${kind}.json`, 'fibric.json']) {
      const validate = ajv.getSchema(`https://fibric.io/schemas/v1/${file}`)!
      expect(validate(document), `${file}: ${JSON.stringify(validate.errors)}`).toBe(true)
      expect(validate({ ...document, sepc: {} })).toBe(false)
    }
  }
}, 60_000)
