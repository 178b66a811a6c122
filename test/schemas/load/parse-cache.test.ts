import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { directoryTree, type FileTree, loadRepository, openParseCache } from '../../../schemas/load/index.ts'
import { sampleFiles } from './sample.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fibric-cache-'))
  for (const [path, text] of Object.entries(sampleFiles)) write(path, text)
  write('tenants/acme/broken.yaml', 'apiVersion: fibric.io/v1\nkind: Oprator\nmetadata: {name: a}\n')
})

afterEach(() => rmSync(root, { recursive: true }))

const cacheFiles = () => {
  const folder = join(root, '.fibric', 'cache')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
}

describe('the parse cache', () => {
  test('changes nothing about the result', async () => {
    const cold = await view()
    expect(cold.diagnostics).toHaveLength(1)
    expect(await view()).toEqual(cold)
  })

  test('spares reading files whose state is known and parsing those whose bytes are', async () => {
    await view()
    const { tree, reads } = counting(settled(directoryTree(root)))
    await view(tree)
    // The first run saw files that were too young to be trusted.
    expect(reads.length).toBeGreaterThan(5)
    const again = counting(settled(directoryTree(root)))
    const { diagnostics } = await view(again.tree)
    expect(diagnostics).toHaveLength(1)
    expect(again.reads).toEqual([])
  })

  test('sees a change of the same length at the same time', async () => {
    const path = join(root, 'tenants/_platform/roles.yaml')
    const { mtime, atime } = statSync(path)
    await view()
    writeFileSync(path, readFileSync(path, 'utf8').replace('approve]', 'operate]'))
    utimesSync(path, atime, mtime)
    const before = await view()
    writeFileSync(path, readFileSync(path, 'utf8').replace('operate]', 'approve]'))
    utimesSync(path, atime, mtime)
    expect(await view()).not.toEqual(before)
  })

  test('sees a change of a file that a document refers to', async () => {
    const before = await view()
    write('tenants/acme/prompts/reply.md', 'Be kind!!\n')
    const after = await view()
    expect(
      after.resources
        .filter(({ digest }, index) => digest !== before.resources[index]?.digest)
        .map(({ address }) => address),
    ).toEqual(['acme-sandbox/Operator/reply', 'acme/Operator/reply'])
  })

  test('checks operators again when a connector they use changes', async () => {
    await view()
    const path = 'tenants/_platform/connectors/shop.yaml'
    write(path, sampleFiles[path]!.replace('{total: {type: number}}', '{sum: {type: number}}'))
    const { diagnostics } = await view()
    expect(diagnostics.map(({ code, path, line }) => `${code} ${path}:${line}`)).toContain(
      'EXPRESSION_INVALID tenants/acme/operators/order-risk.yaml:13',
    )
  })

  test.each([
    { name: 'torn', damage: (text: string) => text.slice(0, text.length / 2) },
    { name: 'empty', damage: () => '' },
    { name: 'of another engine', damage: (text: string) => text.replace(/^[0-9a-f]/, 'x') },
    { name: 'flipped in one bit', damage: (text: string) => text.replace('"Operator"', '"Operatos"') },
    { name: 'something else', damage: () => '{"digests": {}, "facts": 7}' },
  ])('that is $name is ignored and written anew', async ({ damage }) => {
    const expected = await view()
    const good = cacheFiles().map((path) => readFileSync(path, 'utf8'))
    for (const path of cacheFiles()) writeFileSync(path, damage(readFileSync(path, 'utf8')))
    expect(await view()).toEqual(expected)
    expect(cacheFiles().map((path) => readFileSync(path, 'utf8'))).toEqual(good)
  })

  test('that cannot be written is done without', async () => {
    write('.fibric', 'a file where the folder should be')
    expect((await view()).diagnostics).toHaveLength(1)
  })

  test('gives the contents of an unchanged repository too', async () => {
    const cache = () => openParseCache(join(root, '.fibric', 'cache'))
    const cold = await loadRepository(directoryTree(root), { cache: cache() })
    const warm = await loadRepository(directoryTree(root), { cache: cache() })
    for (const { address } of cold.resources) expect(await warm.content(address)).toEqual(await cold.content(address))
  })

  test('ignores itself in git', async () => {
    await view()
    expect(readFileSync(join(root, '.fibric', 'cache', '.gitignore'), 'utf8')).toBe('*\n')
  })
})

async function view(tree: FileTree = directoryTree(root)) {
  const cache = openParseCache(join(root, '.fibric', 'cache'))
  const { resources, diagnostics, domains } = await loadRepository(tree, { cache })
  return { resources, diagnostics, domains }
}

/** The tree as it will be seen when its files are no longer young. */
function settled(tree: FileTree): FileTree {
  return {
    list: async () => (await tree.list()).map((entry) => ({ ...entry, token: `settled ${entry.path} ${entry.size}` })),
    read: tree.read,
  }
}

function counting(tree: FileTree): { tree: FileTree; reads: string[] } {
  const reads: string[] = []
  return {
    reads,
    tree: {
      list: tree.list,
      read: (path) => {
        reads.push(path)
        return tree.read(path)
      },
    },
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
