import { describe, expect, test } from 'vitest'
import { digestBytes, digestJson } from '../../../controller/domain/digest.ts'
import type { Address } from '../../../controller/domain/ids.ts'
import type { Json } from '../../../controller/domain/json.ts'
import { loadRepository } from '../../../schemas/load/index.ts'
import { memoryTree } from './memory-tree.ts'
import { sampleFiles } from './sample.ts'

const load = (files: { readonly [path: string]: string }) => loadRepository(memoryTree(files))
const loadSample = (changes: { readonly [path: string]: string } = {}) => load({ ...sampleFiles, ...changes })

async function find(files: { readonly [path: string]: string }, address: string) {
  const { resources } = await load(files)
  return resources.find((resource) => resource.address === address)
}

describe('loadRepository', () => {
  test('gives every resource its address, source and resolved references', async () => {
    const { resources, diagnostics, domains } = await loadSample()
    expect(diagnostics).toEqual([])
    expect(resources.map(({ address }) => address)).toEqual([
      '_platform/Connector/shop@1.0.0',
      '_platform/Deployment/prod',
      '_platform/Role/approver',
      'acme-sandbox/Connection/shop',
      'acme-sandbox/Operator/order-risk',
      'acme-sandbox/Operator/reply',
      'acme-sandbox/Schedule/nightly',
      'acme-sandbox/Tenant/acme-sandbox',
      'acme-sandbox/TrustPolicy/holds',
      'acme/Connection/shop',
      'acme/Operator/order-risk',
      'acme/Operator/reply',
      'acme/Schedule/nightly',
      'acme/Tenant/acme',
      'acme/TrustPolicy/holds',
    ])
    expect(resources.find(({ address }) => address === 'acme/Operator/reply')).toMatchObject({
      previously: 'acme/Operator/answer',
      source: {
        path: 'tenants/acme/operators/order-risk.yaml',
        line: 16,
        column: 1,
        files: { 'tenants/acme/prompts/reply.md': digestBytes('Be brief.\n') },
      },
    })
    expect(resources.find(({ address }) => address === 'acme/Connection/shop')?.references).toEqual([
      '_platform/Connector/shop@1.0.0',
    ])
    expect(domains).toEqual([
      { slug: '_platform', broken: false },
      { slug: 'acme', broken: false },
      { slug: 'acme-sandbox', broken: false },
    ])
  })

  test('gives back the content whose digest it reported, for every resource', async () => {
    const { resources, content, file } = await loadSample()
    for (const { address, digest } of resources) {
      expect(digestJson((await content(address)) as unknown as Json), address).toBe(digest)
    }
    const reply = await content('acme/Operator/reply' as Address)
    expect(reply.spec).toMatchObject({ reason: { model: { prompt: { file: digestBytes('Be brief.\n') } } } })
    expect(reply.metadata).toEqual({ name: 'reply' })
    expect((await file(digestBytes('Be brief.\n'))).toString()).toBe('Be brief.\n')
  })

  test('refuses to give content that changed since it was loaded', async () => {
    const files = { ...sampleFiles }
    const tree = memoryTree(files)
    const changing = { list: tree.list, read: async (path: string) => Buffer.from(files[path]!) }
    const { content } = await loadRepository(changing)
    files['tenants/_platform/roles.yaml'] = sampleFiles['tenants/_platform/roles.yaml']!.replace('approve]', 'read]')
    await expect(content('_platform/Role/approver' as Address)).rejects.toThrow('changed while')
  })

  test('lets a sandbox inherit, with schedules paused, unless a document of its own replaces it', async () => {
    const own =
      'apiVersion: fibric.io/v1\nkind: TrustPolicy\nmetadata: {name: holds}\nspec: {rules: [{id: own, decision: BLOCK}]}\n'
    const { resources, content } = await loadSample({ 'tenants/acme-sandbox/policies.yaml': own })
    const at = (address: string) => resources.find((resource) => resource.address === address)!
    expect(at('acme-sandbox/Operator/order-risk')).toMatchObject({
      inheritedFrom: 'acme/Operator/order-risk',
      slug: 'acme-sandbox',
      digest: at('acme/Operator/order-risk').digest,
    })
    expect(at('acme-sandbox/TrustPolicy/holds').inheritedFrom).toBeNull()
    expect(at('acme-sandbox/Schedule/nightly').digest).not.toBe(at('acme/Schedule/nightly').digest)
    expect((await content('acme-sandbox/Schedule/nightly' as Address)).spec.state).toBe('paused')
    expect((await content('acme/Schedule/nightly' as Address)).spec.state).toBe('active')
  })

  test('prefers what the own domain has to what the platform has', async () => {
    const role = sampleFiles['tenants/_platform/roles.yaml']!
    const { resources } = await loadSample({ 'tenants/acme/role.yaml': role })
    expect(resources.find(({ address }) => address === 'acme/TrustPolicy/holds')?.references).toEqual([
      'acme/Role/approver',
    ])
    const inherited = resources.find(({ address }) => address === 'acme-sandbox/TrustPolicy/holds')
    expect(inherited?.references).toEqual(['acme-sandbox/Role/approver'])
  })

  test('counts a file by its content, and a reference by its name', async () => {
    const before = await find(sampleFiles, 'acme/Operator/reply')
    const moved = {
      ...sampleFiles,
      'tenants/acme/operators/order-risk.yaml': sampleFiles['tenants/acme/operators/order-risk.yaml']!.replace(
        'reply.md',
        'other.md',
      ),
      'tenants/acme/prompts/other.md': 'Be brief.\n',
    }
    expect((await find(moved, 'acme/Operator/reply'))?.digest).toBe(before?.digest)
    const edited = { ...sampleFiles, 'tenants/acme/prompts/reply.md': 'Be kind.\n' }
    expect((await find(edited, 'acme/Operator/reply'))?.digest).not.toBe(before?.digest)
  })

  test('takes no notice of what is hidden, foreign or not a document', async () => {
    const { resources, diagnostics } = await loadSample({
      'tenants/acme/.drafts/a.yaml': 'apiVersion: fibric.io/v1\nkind: [',
      'tenants/acme/values.yaml': 'name: a\nname: b\n',
      'tenants/acme/fixtures/one.json': '{"kind": "order",}',
      'tenants/acme/empty.yaml': '',
      'tenants/acme/comment.yaml': '# nothing yet\n',
      'tenants/acme/notes.md': 'apiVersion: fibric.io/v1\nkind: Nothing\n',
      'tenants/README.yaml': 'hello: there\n',
      'other/a.yaml': 'apiVersion: fibric.io/v1\nkind: Nothing\n',
    })
    expect(diagnostics).toEqual([])
    expect(resources).toHaveLength(15)
  })

  test('reports a file that does not parse when an applied object came from it', async () => {
    const files = { ...sampleFiles, 'tenants/acme/values.yaml': 'name: [\n' }
    const path = 'tenants/acme/values.yaml'
    expect((await loadRepository(memoryTree(files))).diagnostics).toEqual([])
    const { diagnostics, domains } = await loadRepository(memoryTree(files), { appliedPaths: new Set([path]) })
    expect(diagnostics).toMatchObject([{ code: 'YAML_SYNTAX', path }])
    expect(domains.find(({ slug }) => slug === 'acme')?.broken).toBe(true)
  })

  test('calls a domain broken, and the sandbox that inherits from it, and leaves others alone', async () => {
    const { domains, resources } = await loadSample({
      'tenants/acme/broken.yaml': 'apiVersion: fibric.io/v1\nkind: Role\nmetadata: {name: a}\n',
    })
    expect(domains).toEqual([
      { slug: '_platform', broken: false },
      { slug: 'acme', broken: true },
      { slug: 'acme-sandbox', broken: true },
    ])
    expect(resources).toHaveLength(15)
  })

  test('does not blame what refers to a document that is broken itself', async () => {
    const { diagnostics } = await loadSample({
      'tenants/_platform/roles.yaml': sampleFiles['tenants/_platform/roles.yaml']!.replace('allow', 'alow'),
    })
    expect(diagnostics.map(({ path }) => path)).toEqual(['tenants/_platform/roles.yaml'])
    expect(diagnostics[0]).toMatchObject({
      code: 'UNKNOWN_FIELD',
      line: 4,
      column: 8,
      hint: expect.stringContaining('allow'),
    })
  })

  test('reports everything at once, in the order of files and lines', async () => {
    const { diagnostics } = await loadSample({
      'tenants/acme/operators/order-risk.yaml': sampleFiles['tenants/acme/operators/order-risk.yaml']!.replace(
        'goal:',
        'gaol:',
      ).replace('order.total', 'order.totl'),
      'tenants/acme/shop.yaml': sampleFiles['tenants/acme/shop.yaml']!.replace('shop@1.0.0', 'shp@1.0.0'),
    })
    expect(
      diagnostics
        .filter(({ severity }) => severity === 'error')
        .map(({ code, path, line }) => `${path}:${line} ${code}`),
    ).toEqual(['tenants/acme/operators/order-risk.yaml:7 UNKNOWN_FIELD', 'tenants/acme/shop.yaml:4 UNKNOWN_REFERENCE'])
  })

  test('is empty for an empty tree', async () => {
    const { resources, diagnostics, domains } = await load({})
    expect([resources, diagnostics, domains]).toEqual([[], [], [{ slug: '_platform', broken: false }]])
  })
})
