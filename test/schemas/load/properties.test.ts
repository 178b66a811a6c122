import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { loadRepository } from '../../../schemas/load/index.ts'
import { memoryTree } from './memory-tree.ts'
import { sampleFiles } from './sample.ts'

async function digests(files: { readonly [path: string]: string }): Promise<string[]> {
  const { resources, diagnostics } = await loadRepository(memoryTree(files))
  expect(diagnostics).toEqual([])
  return resources.map(({ address, digest }) => `${address} ${digest}`)
}

const isYaml = (path: string) => path.endsWith('.yaml')
const documentsOf = (text: string) => parseAllDocuments(text).map((document) => document.toJSON() as object)

describe('what an author may do without changing anything', () => {
  const rewritings: {
    name: string
    rewrite: (files: { readonly [path: string]: string }) => { [path: string]: string }
  }[] = [
    {
      name: 'comments and blank lines',
      rewrite: (files) => eachYaml(files, (text) => `# a comment\n\n${text.replaceAll(/^kind:/gm, '# why\n\nkind:')}`),
    },
    {
      name: 'line ends of Windows and a byte order mark',
      rewrite: (files) => eachYaml(files, (text) => `\ufeff${text.replaceAll('\n', '\r\n')}`),
    },
    {
      name: 'block style instead of flow style',
      rewrite: (files) =>
        eachYaml(files, (text) =>
          documentsOf(text)
            .map((each) => stringify(each))
            .join('---\n'),
        ),
    },
    { name: 'JSON with tabs', rewrite: (files) => split(files, 'json', (each) => JSON.stringify(each, null, '\t')) },
    { name: 'a file for each document', rewrite: (files) => split(files, 'yaml', (each) => stringify(each)) },
    {
      name: 'labels and annotations that are empty',
      rewrite: (files) =>
        eachYaml(files, (text) => text.replace('{name: shop}', '{name: shop, labels: {}, annotations: {}}')),
    },
    {
      name: 'defaults written out',
      rewrite: (files) =>
        eachYaml(files, (text) =>
          text
            .replace('goal:', 'state: active\n  goal:')
            .replace('displayName: Acme,', 'displayName: Acme, state: active, deletionProtection: true,'),
        ),
    },
    {
      name: 'anchors and aliases',
      rewrite: (files) =>
        eachYaml(files, (text) =>
          text
            .replaceAll('{id: {type: string}}', '{id: &id {type: string}}')
            .replace('required: [id]', 'required: [id]'),
        ),
    },
    {
      name: 'metadata.tenant',
      rewrite: (files) => ({
        ...files,
        'tenants/acme/tenant.yaml': files['tenants/acme/tenant.yaml']!.replace(
          '{name: acme}',
          '{name: acme, tenant: acme}',
        ),
      }),
    },
  ]

  test.each(rewritings)('$name', async ({ rewrite }) => {
    expect(await digests(rewrite(sampleFiles))).toEqual(await digests(sampleFiles))
  })

  test('the order of keys, and where in the folder a file lies', async () => {
    const expected = await digests(sampleFiles)
    await fc.assert(
      fc.asyncProperty(
        fc.infiniteStream(fc.nat(1000)),
        fc.constantFrom('a', 'b/c', 'z-last'),
        async (numbers, folder) => {
          const next = () => numbers.next().value as number
          const files: { [path: string]: string } = {}
          for (const [path, text] of Object.entries(sampleFiles)) {
            if (!isYaml(path) || path === 'fibric.yaml') {
              files[path] = text
              continue
            }
            const [top, slug] = path.split('/')
            const content = documentsOf(text)
              .map((each) => stringify(shuffledKeys(each, next)))
              .join('---\n')
            // What a document refers to is relative to it, so a document with files moves to a folder as deep as before.
            const name = text.includes('file:')
              ? `moved/${folder.replace('/', '-')}`
              : `${folder}/${path.split('/').slice(2).join('-')}`
            files[`${top}/${slug}/${name}${name.endsWith('.yaml') ? '' : '.yaml'}`] = content
          }
          expect(await digests(files)).toEqual(expected)
        },
      ),
      { numRuns: 15 },
    )
  })
})

test('the order in which a tree lists its files changes nothing, diagnostics included', async () => {
  const files = {
    ...sampleFiles,
    'tenants/acme/a.yaml': 'apiVersion: fibric.io/v1\nkind: Workspace\nmetadata: {name: twice}\n',
    'tenants/acme/b.yaml': 'apiVersion: fibric.io/v1\nkind: Workspace\nmetadata: {name: twice, previously: gone}\n',
    'tenants/acme/c.yaml':
      'apiVersion: fibric.io/v1\nkind: User\nmetadata: {name: u}\nspec: {roles: [nobody], emails: [a@example.com]}\n',
    'tenants/_platform/d.yaml':
      'apiVersion: fibric.io/v1\nkind: User\nmetadata: {name: u}\nspec: {emails: [a@example.com]}\n',
  }
  const view = async (tree: ReturnType<typeof memoryTree>) => {
    const { resources, diagnostics, domains } = await loadRepository(tree)
    return { resources, diagnostics, domains }
  }
  const expected = await view(memoryTree(files))
  expect(expected.diagnostics.length).toBeGreaterThan(3)
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(Object.keys(files), { minLength: Object.keys(files).length }),
      async (paths) => {
        const shuffled = Object.fromEntries(paths.map((path) => [path, files[path as keyof typeof files]!]))
        expect(await view(memoryTree(shuffled))).toEqual(expected)
      },
    ),
    { numRuns: 20 },
  )
})

function eachYaml(
  files: { readonly [path: string]: string },
  rewrite: (text: string) => string,
): { [path: string]: string } {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [path, isYaml(path) ? rewrite(text) : text]))
}

function split(files: { readonly [path: string]: string }, extension: string, write: (document: object) => string) {
  const out: { [path: string]: string } = {}
  for (const [path, text] of Object.entries(files)) {
    if (!isYaml(path)) out[path] = text
    else if (path === 'fibric.yaml') out[`fibric.${extension}`] = write(documentsOf(text)[0]!)
    else
      for (const [index, each] of documentsOf(text).entries())
        out[`${path.slice(0, -5)}-${index}.${extension}`] = write(each)
  }
  return out
}

function shuffledKeys(value: unknown, next: () => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffledKeys(item, next))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [next(), key, shuffledKeys(item, next)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => a - b).map(([, key, item]) => [key, item]))
}
