import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { directoryTree, loadRepository } from '../../../schemas/load/index.ts'
import { sampleFiles } from './sample.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fibric-tree-'))
  for (const [path, text] of Object.entries(sampleFiles)) write(path, text)
})

afterEach(() => rmSync(root, { recursive: true }))

const asset = (file: string) =>
  `apiVersion: fibric.io/v1\nkind: Asset\nmetadata: {name: a}\nspec: {type: python, python: {entry: {file: ${file}}}}\n`

describe('directoryTree', () => {
  test('is read like any other tree', async () => {
    const { resources, diagnostics } = await load()
    expect(diagnostics).toEqual([])
    expect(resources).toHaveLength(15)
  })

  test('promises nothing about files that were written a moment ago', async () => {
    const entries = await directoryTree(root).list()
    expect(entries.length).toBe(Object.keys(sampleFiles).length)
    expect(entries.every(({ token }) => token === null)).toBe(true)
  })

  test('of a directory without a repository is empty', async () => {
    expect(await directoryTree(join(root, 'nowhere')).list()).toEqual([])
  })
})

describe('a symlink', () => {
  const rows: { name: string; link: string; target: string; file?: [string, string]; want: string[] }[] = [
    {
      name: 'of a document to another tenant is refused',
      link: 'tenants/acme/x.yaml',
      target: '../acme-sandbox/tenant.yaml',
      want: ['FILE_OUTSIDE_TENANT tenants/acme/x.yaml:1:1'],
    },
    {
      name: 'of a document to the system is refused',
      link: 'tenants/acme/x.yaml',
      target: '/etc/hostname',
      want: ['FILE_OUTSIDE_TENANT tenants/acme/x.yaml:1:1'],
    },
    {
      name: 'of a folder out of the tenant is refused',
      link: 'tenants/acme/shared',
      target: '../../shared',
      want: ['FILE_OUTSIDE_TENANT tenants/acme/shared:1:1'],
    },
    {
      name: 'in place of a tenant is refused',
      link: 'tenants/beta',
      target: 'acme',
      want: ['FILE_OUTSIDE_TENANT tenants/beta:1:1'],
    },
    {
      name: 'of a referenced file out of the tenant is refused where it is and where it is used',
      link: 'tenants/acme/run.py',
      target: '../../run.py',
      file: ['tenants/acme/a.yaml', asset('run.py')],
      want: ['FILE_OUTSIDE_TENANT tenants/acme/a.yaml:4:45', 'FILE_OUTSIDE_TENANT tenants/acme/run.py:1:1'],
    },
    {
      name: 'that only spells a way out is followed',
      link: 'tenants/acme/lib',
      target: '../acme-sandbox/../acme/prompts',
      want: [],
    },
    {
      name: 'of a referenced file within the tenant is followed',
      link: 'tenants/acme/run.py',
      target: 'prompts/reply.md',
      file: ['tenants/acme/a.yaml', asset('run.py')],
      want: [],
    },
    {
      name: 'of a folder within the tenant is followed for references and adds no documents',
      link: 'tenants/acme/lib',
      target: 'prompts',
      file: ['tenants/acme/a.yaml', asset('lib/reply.md')],
      want: [],
    },
    {
      name: 'to a document of the same tenant adds nothing',
      link: 'tenants/acme/again.yaml',
      target: 'shop.yaml',
      want: [],
    },
    {
      name: 'to nothing is reported',
      link: 'tenants/acme/x.yaml',
      target: 'gone.yaml',
      want: ['FILE_MISSING tenants/acme/x.yaml:1:1'],
    },
    {
      name: 'to itself is reported',
      link: 'tenants/acme/x.yaml',
      target: 'x.yaml',
      want: ['FILE_MISSING tenants/acme/x.yaml:1:1'],
    },
    { name: 'that is hidden is left alone', link: 'tenants/acme/.x.yaml', target: '/etc/hostname', want: [] },
  ]

  test.each(rows)('$name', async ({ link, target, file, want }) => {
    if (file) write(...file)
    symlinkSync(target, join(root, link))
    const { diagnostics } = await load()
    expect(diagnostics.map(({ code, path, line, column }) => `${code} ${path}:${line}:${column}`)).toEqual(want)
  })

  test('in place of the tenants folder is refused', async () => {
    rmSync(join(root, 'tenants'), { recursive: true })
    symlinkSync('/', join(root, 'tenants'))
    expect((await load()).diagnostics).toMatchObject([{ code: 'FILE_OUTSIDE_TENANT', path: 'tenants' }])
  })
})

function load() {
  return loadRepository(directoryTree(root))
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
