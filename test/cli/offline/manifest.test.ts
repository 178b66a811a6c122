import { appendFileSync, existsSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isManifestFresh, readManifest, writeManifest } from '../../../cli/manifest/freshness.ts'
import { folderWith, remove } from '../../support/cli.ts'

const manifest = { version: '0.1.0', commands: {} }

function program(): string {
  const root = folderWith({ 'package.json': '{}', 'cli/commands/a.ts': 'a', 'cli/base.ts': 'b' })
  onTestFinished(() => remove(root))
  return root
}

test('a manifest is believed until a source of the command line changes', () => {
  const root = program()
  expect(isManifestFresh(root)).toBe(false)
  expect(writeManifest(root, manifest)).toBe(true)
  expect(isManifestFresh(root)).toBe(true)
  expect(readManifest(root)).toMatchObject(manifest)
})

test.each([
  { what: 'a command is edited', change: (root: string) => appendFileSync(join(root, 'cli/commands/a.ts'), '!') },
  { what: 'a shared file is edited', change: (root: string) => appendFileSync(join(root, 'cli/base.ts'), '!') },
  { what: 'a command is added', change: (root: string) => writeFileSync(join(root, 'cli/commands/b.ts'), '') },
  { what: 'a command is removed', change: (root: string) => rmSync(join(root, 'cli/commands/a.ts')) },
  { what: 'a topic is added', change: (root: string) => addTopic(root) },
  { what: 'the package changes', change: (root: string) => appendFileSync(join(root, 'package.json'), ' ') },
  { what: 'only a time goes back', change: (root: string) => utimesSync(join(root, 'cli/base.ts'), 1, 1) },
])('a manifest is old when $what', ({ change }) => {
  const root = program()
  writeManifest(root, manifest)
  change(root)
  expect(isManifestFresh(root)).toBe(false)
})

test('a torn manifest is none', () => {
  const root = program()
  writeManifest(root, manifest)
  writeFileSync(join(root, 'oclif.manifest.json'), '{"sources":"')
  expect(isManifestFresh(root)).toBe(false)
  expect(readManifest(root)).toBeNull()
})

test('where nothing may be written, nothing is, and nobody is told', () => {
  const root = program()
  mkdirSync(join(root, 'oclif.manifest.json'))
  expect(writeManifest(root, manifest)).toBe(false)
  expect(existsSync(join(root, `oclif.manifest.json.${process.pid}.tmp`))).toBe(false)
})

function addTopic(root: string): void {
  mkdirSync(join(root, 'cli/commands/topic'))
  writeFileSync(join(root, 'cli/commands/topic/c.ts'), '')
}
