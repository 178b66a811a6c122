import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { FibricError } from '../../../controller/domain/errors.ts'
import { openGit } from '../../../controller/reconciler/git/open.ts'
import type { AuthorQuestion, GitRepository } from '../../../controller/reconciler/git/repository.ts'
import type { FileTree } from '../../../schemas/load/file-tree.ts'
import {
  alice,
  bob,
  carol,
  gitRepository,
  hasProgram,
  sshKey,
  type TestRepository,
} from '../../support/git-repository.ts'

const made: TestRepository[] = []

afterEach(() => {
  for (const repository of made.splice(0)) repository.remove()
})

function repo(options?: Parameters<typeof gitRepository>[0]): TestRepository {
  const repository = gitRepository(options)
  made.push(repository)
  return repository
}

async function contents(tree: FileTree): Promise<{ [path: string]: string }> {
  const entries = await tree.list()
  const read = entries.map(async ({ path, target }) => [path, target ?? (await tree.read(path)).toString('latin1')])
  return Object.fromEntries((await Promise.all(read)).sort())
}

async function failure(pending: Promise<unknown>): Promise<FibricError> {
  const error = await pending.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(FibricError)
  return error as FibricError
}

describe.each(['binary', 'builtin'] as const)('the %s implementation', (implementation) => {
  async function open(directory: string, path?: string): Promise<GitRepository> {
    return (await openGit(directory, { implementation, ...(path === undefined ? {} : { path }) }))!
  }

  describe('finding the repository', () => {
    test('answers null for a directory in no repository', async () => {
      const { directory } = repo()
      rmSync(join(directory, '.git'), { recursive: true })
      expect(await openGit(directory, { implementation })).toBeNull()
    })

    test('opens a sub-directory, with paths relative to it', async () => {
      const { directory, commit } = repo()
      commit({ files: { 'fibric.yaml': 'top', 'prod/fibric.yaml': 'sub', 'prod/tenants/a/x.yaml': 'x' } })
      const git = await open(join(directory, 'prod'))
      expect(git.prefix).toBe('prod')
      const want = { 'fibric.yaml': 'sub', 'tenants/a/x.yaml': 'x' }
      expect(await contents(await git.treeAt('HEAD'))).toEqual(want)
      expect(await contents(await git.workingTree())).toEqual(want)
      expect((await git.authorsSince('tenants/a/x.yaml', null, 'HEAD', [])).authors).toHaveLength(1)
      expect(await git.isClean()).toBe(true)
    })

    test('takes stars and brackets in names for what they are', async () => {
      const { directory, commit } = repo()
      const path = 'tenants/a/[x]*.yaml'
      commit({ files: { [`:(top)we[i]rd */${path}`]: 'x', [`:(top)weird x/${path}`]: 'y', '*/fibric.yaml': 'z' } })
      const git = await open(join(directory, ':(top)we[i]rd *'))
      expect(await contents(await git.treeAt('HEAD'))).toEqual({ [path]: 'x' })
      expect(await contents(await git.workingTree())).toEqual({ [path]: 'x' })
      expect((await git.authorsSince(path, null, 'HEAD', [])).authors).toHaveLength(1)
    })

    test('takes a directory that its repository ignores as belonging to none', async () => {
      const { directory, commit, write } = repo()
      commit({ files: { '.gitignore': '*\n!.gitignore\n' } })
      write({ 'work/config/fibric.yaml': 'x' })
      expect(await openGit(join(directory, 'work/config'), { implementation })).toBeNull()
    })

    test('opens a bare repository and the directory inside it', async () => {
      const { directory, commit, git: run } = repo()
      commit({ files: { 'prod/fibric.yaml': 'x' } })
      run('clone', '--quiet', '--bare', directory, 'bare.git')
      const git = await open(join(directory, 'bare.git'), 'prod')
      expect(await contents(await git.treeAt('main'))).toEqual({ 'fibric.yaml': 'x' })
      expect((await failure(git.workingTree())).message).toContain('bare repository')
    })

    test('ignores the GIT_DIR of the caller', async () => {
      const { directory, commit } = repo()
      const sha = commit()
      process.env.GIT_DIR = '/nonexistent'
      try {
        expect((await (await open(directory)).head())?.sha).toBe(sha)
      } finally {
        delete process.env.GIT_DIR
      }
    })

    test('has no head before the first commit, and everything is new', async () => {
      const { directory, write } = repo()
      write({ 'fibric.yaml': 'x' })
      const git = await open(directory)
      expect(await git.head()).toBeNull()
      expect(await contents(await git.workingTree())).toEqual({ 'fibric.yaml': 'x' })
      expect(await git.isClean()).toBe(false)
    })
  })

  describe('revisions', () => {
    test('resolves branches, tags, sha prefixes, HEAD and steps from them', async () => {
      const { directory, commit, merge, git: run } = repo()
      const first = commit()
      run('tag', 'light')
      run('tag', '-a', 'annotated', '-m', 'a tag')
      run('tag', '-a', 'twice', '-m', 'a tag of a tag', 'annotated')
      run('branch', 'feature/one')
      const second = commit({ message: 'second\n\nwith a body' })
      run('checkout', '--quiet', 'feature/one')
      const side = commit()
      run('checkout', '--quiet', 'main')
      const merged = merge('feature/one')
      run('pack-refs', '--all')
      const git = await open(directory)
      const want = {
        HEAD: merged,
        '@': merged,
        main: merged,
        'refs/heads/main': merged,
        'heads/main': merged,
        'feature/one': side,
        light: first,
        annotated: first,
        twice: first,
        [merged]: merged,
        [merged.slice(0, 10)]: merged,
        'HEAD~1': second,
        'HEAD^': second,
        'HEAD^2': side,
        'HEAD~2': first,
        'HEAD^2~1': first,
        'HEAD^0': merged,
        'main~~': first,
      }
      for (const [rev, sha] of Object.entries(want)) expect([rev, (await git.resolve(rev)).sha]).toEqual([rev, sha])
      const commitRead = await git.resolve(second)
      expect(commitRead).toMatchObject({
        parents: [first],
        author: alice,
        message: 'second\n\nwith a body\n',
        signature: null,
      })
      expect(commitRead.author.timeMs).toBe(Date.UTC(2026, 0, 1, 0, 2))
      expect(commitRead.tree).toBe(run('rev-parse', `${second}^{tree}`).trim())
    })

    test.each([
      'nowhere',
      '',
      '--help',
      '-h',
      'HEAD~99',
      'HEAD^3',
      'a..b',
      ':/x',
      'HEAD@{0}',
      'main:x',
      '0000',
      'a b',
      'x\ny',
    ])('says that `%s` names no commit', async (rev) => {
      const { directory, commit } = repo()
      commit()
      const error = await failure((await open(directory)).resolve(rev))
      expect(error).toMatchObject({ code: 'GIT', message: `revision \`${rev}\` names no commit of this repository` })
      expect(error.hint).not.toBeNull()
    })

    test('says that a blob or tree is no commit', async () => {
      const { directory, commit, git: run } = repo()
      commit({ files: { 'fibric.yaml': 'x' } })
      const git = await open(directory)
      await failure(git.resolve(run('rev-parse', 'HEAD^{tree}').trim()))
      await failure(git.resolve(run('rev-parse', 'HEAD:fibric.yaml').trim()))
    })

    test('reads packed repositories as it reads loose ones', async () => {
      const { directory, commit, git: run } = repo()
      commit({ files: { 'fibric.yaml': 'a\n'.repeat(2000) } })
      const sha = commit({ files: { 'fibric.yaml': `${'a\n'.repeat(2000)}b\n` } })
      run('gc', '--quiet', '--aggressive')
      const git = await open(directory)
      expect((await git.resolve(sha.slice(0, 8))).sha).toBe(sha)
      expect((await contents(await git.treeAt(sha)))['fibric.yaml']).toBe(`${'a\n'.repeat(2000)}b\n`)
    })
  })

  describe('a directory in a commit', () => {
    test('lists files and symlinks of the configuration with their bytes', async () => {
      const { directory, commit } = repo()
      commit({
        files: {
          'fibric.yaml': 'x',
          'README.md': 'not configuration',
          'tenants/a/ü 1.yaml': Buffer.from([0, 255, 13, 10]),
          'tenants/a/link.md': { target: '../b/x.md' },
        },
      })
      const tree = await (await open(directory)).treeAt('HEAD')
      expect(await contents(tree)).toEqual({
        'fibric.yaml': 'x',
        'tenants/a/ü 1.yaml': '\0\xff\r\n',
        'tenants/a/link.md': '../b/x.md',
      })
      expect((await tree.list()).find(({ path }) => path.endsWith('.md'))?.kind).toBe('symlink')
      expect((await failure(tree.read('README.md'))).code).toBe('NOT_FOUND')
    })

    test('gives the same token to the same bytes in two commits, and another to others', async () => {
      const { directory, commit } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'one', 'tenants/a/y.yaml': 'one' } })
      commit({ files: { 'tenants/a/y.yaml': 'two' } })
      const git = await open(directory)
      const tokens = async (rev: string) => {
        const entries = await (await git.treeAt(rev)).list()
        return Object.fromEntries(entries.map(({ path, token }) => [path, token]))
      }
      const [before, after] = [await tokens('HEAD~1'), await tokens('HEAD')]
      expect(after['tenants/a/x.yaml']).toBe(before['tenants/a/x.yaml'])
      expect(after['tenants/a/y.yaml']).not.toBe(before['tenants/a/y.yaml'])
    })

    test('is empty where the commit has no such directory, or a file in its place', async () => {
      const { directory, commit } = repo()
      commit({ files: { prod: 'a file' } })
      commit({ files: { prod: null } })
      commit({ files: { 'prod/fibric.yaml': 'x' } })
      const git = await open(join(directory, 'prod'))
      expect(await contents(await git.treeAt('HEAD~1'))).toEqual({})
      expect(await contents(await git.treeAt('HEAD~2'))).toEqual({})
    })

    test('refuses an LFS pointer when it is read', async () => {
      const { directory, commit } = repo()
      const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`
      commit({ files: { 'tenants/a/big.csv': pointer, 'fibric.yaml': 'x' } })
      const git = await open(directory)
      for (const tree of [await git.treeAt('HEAD'), await git.workingTree()]) {
        expect((await tree.read('fibric.yaml')).toString()).toBe('x')
        expect((await failure(tree.read('tenants/a/big.csv'))).message).toContain('Git LFS')
      }
    })

    test('refuses a submodule below the configuration, and not beside it', async () => {
      const { directory, commit, git: run } = repo()
      const sha = commit({ files: { 'tenants/a/x.yaml': 'x' } })
      const add = (path: string) => {
        run('update-index', '--add', '--cacheinfo', `160000,${sha},${path}`)
        mkdirSync(join(directory, path), { recursive: true })
        run('commit', '--quiet', '-m', 'submodule')
      }
      add('docs')
      const git = await open(directory)
      expect(Object.keys(await contents(await git.treeAt('HEAD')))).toEqual(['tenants/a/x.yaml'])
      expect(await git.isClean()).toBe(true)
      add('tenants/b')
      expect((await failure((await git.treeAt('HEAD')).list())).message).toContain('`tenants/b` is a submodule')
      expect((await failure(git.workingTree())).message).toContain('`tenants/b` is a submodule')
    })
  })

  describe('the working tree', () => {
    test('is what git would commit: tracked and new files, deletions, not what is ignored', async () => {
      const { directory, commit, write, git: run } = repo()
      commit({
        files: {
          '.gitignore': '*.bak\n/tenants/a/private/\n!keep.bak\n',
          'tenants/.gitignore': 'local-*\n',
          'tenants/a/x.yaml': 'x',
          'tenants/a/gone.yaml': 'gone',
        },
      })
      write({ 'tenants/a/forced.bak': 'forced' })
      run('add', '--force', 'tenants/a/forced.bak')
      run('commit', '--quiet', '-m', 'forced')
      write({
        'tenants/a/x.yaml': 'changed',
        'tenants/a/gone.yaml': null,
        'tenants/a/new.yaml': 'new',
        'tenants/a/old.bak': 'ignored',
        'tenants/a/keep.bak': 'kept',
        'tenants/a/private/p.yaml': 'ignored',
        'tenants/b/local-1.yaml': 'ignored',
        'tenants/b/link': { target: '../a' },
        'fibric.yaml': 'staged, then changed',
      })
      run('add', 'fibric.yaml')
      write({ 'fibric.yaml': 'changed again' })
      const git = await open(directory)
      expect(await contents(await git.workingTree())).toEqual({
        'fibric.yaml': 'changed again',
        'tenants/.gitignore': 'local-*\n',
        'tenants/a/forced.bak': 'forced',
        'tenants/a/keep.bak': 'kept',
        'tenants/a/new.yaml': 'new',
        'tenants/a/x.yaml': 'changed',
        'tenants/b/link': '../a',
      })
      expect(await git.isClean()).toBe(false)
      expect(await git.isClean(['tenants/a/forced.bak'])).toBe(true)
      expect(await git.isClean(['tenants/a'])).toBe(false)
      const working = await contents(await git.workingTree())
      run('add', '--all')
      run('commit', '--quiet', '-m', 'all of it')
      expect(await contents(await git.treeAt('HEAD'))).toEqual(working)
      expect(await git.isClean()).toBe(true)
    })

    test('honours the excludes of the clone and of the person', async () => {
      const { directory, commit, write, git: run } = repo()
      commit()
      write({ '.git/info/exclude': 'mine.yaml\n', '.git/everywhere': 'theirs.yaml\n' })
      run('config', 'core.excludesFile', join(directory, '.git/everywhere'))
      write({ 'tenants/a/mine.yaml': '', 'tenants/a/theirs.yaml': '', 'tenants/a/ours.yaml': '' })
      expect(Object.keys(await contents(await (await open(directory)).workingTree()))).toEqual(['tenants/a/ours.yaml'])
    })

    test('does not look through a folder that was replaced with a symlink', async () => {
      const { directory, commit, write } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'x', 'elsewhere/x.yaml': 'other' } })
      write({ 'tenants/a': { target: '../elsewhere' } })
      const git = await open(directory)
      expect(await contents(await git.workingTree())).toEqual({ 'tenants/a': '../elsewhere' })
    })

    test('takes files of a sparse checkout from the index: they are not deleted', async () => {
      const { directory, commit, git: run } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'x', 'tenants/b/y.yaml': 'y', 'fibric.yaml': 'z' } })
      run('sparse-checkout', 'set', '--no-cone', '/fibric.yaml', '/tenants/a/')
      const git = await open(directory)
      expect(await contents(await git.workingTree())).toEqual(await contents(await git.treeAt('HEAD')))
      expect(await git.isClean()).toBe(true)
    })

    test('reads an index of any version', async () => {
      const { directory, commit, git: run } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'x', 'tenants/a/xy.yaml': 'y', 'tenants/b/a-rather-long-name.yaml': 'z' } })
      const git = await open(directory)
      for (const version of ['2', '3', '4']) {
        run('update-index', '--index-version', version)
        expect(await git.isClean()).toBe(true)
      }
    })

    test('refuses a repository inside the repository', async () => {
      const { directory, commit, git: run } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'x' } })
      run('init', '--quiet', 'tenants/vendored')
      const error = await failure((await open(directory)).workingTree())
      expect(error.message).toContain('`tenants/vendored` is a submodule or a repository of its own')
    })

    test('refuses an unresolved merge', async () => {
      const { directory, commit, merge, git: run } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'x' } })
      run('checkout', '--quiet', '-b', 'side')
      commit({ files: { 'tenants/a/x.yaml': 'side' } })
      run('checkout', '--quiet', 'main')
      commit({ files: { 'tenants/a/x.yaml': 'main' } })
      expect(() => merge('side')).toThrow()
      const error = await failure((await open(directory)).workingTree())
      expect(error.message).toBe('`tenants/a/x.yaml` has an unresolved merge conflict')
    })

    test.each([
      { name: 'core.autocrlf=true', autocrlf: 'true', attributes: '' },
      { name: 'core.autocrlf=input', autocrlf: 'input', attributes: '' },
      { name: 'text=auto', autocrlf: 'false', attributes: '* text=auto\n' },
      { name: 'text for one type', autocrlf: 'false', attributes: '*.yaml text eol=crlf\n' },
      { name: 'the old name of text', autocrlf: 'false', attributes: '*.yaml crlf\n' },
      {
        name: 'a macro and a later exception',
        autocrlf: 'true',
        attributes: '[attr]cfg text\n*.yaml cfg\n*.md binary\n',
      },
      { name: 'an unset and an unspecified attribute', autocrlf: 'true', attributes: '* -text\n*.yaml !text\n' },
      { name: 'ident', autocrlf: 'false', attributes: '* text=auto ident\n' },
      { name: 'nothing at all', autocrlf: 'false', attributes: '' },
    ])('gives the bytes git commits under $name', async ({ autocrlf, attributes }) => {
      const { directory, commit, write, git: run } = repo()
      run('config', 'core.autocrlf', 'false')
      run('config', 'core.safecrlf', 'false')
      commit({ files: { 'tenants/a/kept-crlf.yaml': 'a\r\nb\r\n' } })
      run('config', 'core.autocrlf', autocrlf)
      write({
        '.gitattributes': attributes,
        'tenants/a/kept-crlf.yaml': 'a\r\nb\r\nc\r\n',
        'tenants/a/crlf.yaml': 'kind: Tenant\r\nname: a\r\n',
        'tenants/a/mixed.md': 'one\r\ntwo\n',
        'tenants/a/lone.md': 'one\rtwo\r\n',
        'tenants/a/binary.dat': Buffer.from('\0\r\n'),
        'tenants/a/control.dat': Buffer.from('\x01\x02\r\n'),
        'tenants/a/eof.md': 'dos\r\n\x1a',
        'tenants/a/ident.yaml': '# $Id: 1234 $\r\n# $Id: broken\n$ $Id$\n',
        'tenants/a/sub/.gitattributes': 'x.yaml -text\n',
        'tenants/a/sub/x.yaml': 'as it is\r\n',
        'tenants/a/empty.yaml': '',
      })
      const git = await open(directory)
      const working = await contents(await git.workingTree())
      run('add', '--all')
      run('commit', '--quiet', '-m', 'all')
      expect(working).toEqual(await contents(await git.treeAt('HEAD')))
      expect(await git.isClean()).toBe(true)
    })

    test('reads a checkout with CRLF files as its commit', async () => {
      const { directory, commit, git: run } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'a\nb\n', 'fibric.yaml': 'c\n' } })
      run('config', 'core.autocrlf', 'true')
      rmSync(join(directory, 'tenants'), { recursive: true })
      rmSync(join(directory, 'fibric.yaml'))
      run('checkout', '--', '.')
      const git = await open(directory)
      expect(await git.isClean()).toBe(true)
      expect(await contents(await git.workingTree())).toEqual({ 'fibric.yaml': 'c\n', 'tenants/a/x.yaml': 'a\nb\n' })
    })

    test('refuses a file whose committed bytes only a program or another encoding could tell', async () => {
      const { directory, commit, git: run } = repo()
      commit({
        files: {
          '.gitattributes':
            '*.crypt filter=crypt\n*.utf16 working-tree-encoding=UTF-16\n*.undefined filter=undefined\n',
          'tenants/a/x.crypt': 'x',
          'tenants/a/x.undefined': 'x',
        },
      })
      writeFileSync(join(directory, 'tenants/a/x.utf16'), Buffer.from('fffe7800', 'hex'))
      run('config', 'filter.crypt.clean', 'cat')
      const tree = await (await open(directory)).workingTree()
      expect((await failure(tree.read('tenants/a/x.crypt'))).message).toContain('the filter `crypt`')
      expect((await failure(tree.read('tenants/a/x.utf16'))).message).toContain('the encoding `UTF-16`')
      expect((await tree.read('tenants/a/x.undefined')).toString()).toBe('x')
    })
  })

  describe('history', () => {
    test('knows ancestors and the first-parent line', async () => {
      const { directory, commit, merge, git: run } = repo()
      const first = commit()
      run('checkout', '--quiet', '-b', 'side')
      const side = commit({ author: bob })
      run('checkout', '--quiet', 'main')
      const second = commit()
      const merged = merge('side')
      const last = commit()
      const git = await open(directory)
      const line = async (from: string | null, to: string) =>
        (await git.firstParentLine(from, to)).map(({ sha }) => sha)
      expect(await line(null, last)).toEqual([first, second, merged, last])
      expect(await line(first, last)).toEqual([second, merged, last])
      expect(await line(last, last)).toEqual([])
      // What was accepted from the side must not hide the commits it did not contain.
      expect(await line(side, last)).toEqual([second, merged, last])
      expect(await git.isAncestor(side, last)).toBe(true)
      expect(await git.isAncestor(last, last)).toBe(true)
      expect(await git.isAncestor(last, side)).toBe(false)
      expect(await git.isAncestor(side, second)).toBe(false)
      expect(await git.isAncestor('0'.repeat(40), last)).toBe(false)
    })

    async function names(git: GitRepository, questions: AuthorQuestion[], rev = 'HEAD'): Promise<string[]> {
      const answers = await git.authorsOf(questions, rev, [])
      return answers.map(({ authors }) => authors.map(({ name }) => name.split(' ')[0]).join(' '))
    }

    test('names everyone who wrote a file since it was last applied, newest first, in one pass', async () => {
      const { directory, commit } = repo()
      const first = commit({ files: { 'tenants/a/x.yaml': '1', 'tenants/a/y.yaml': '1' } })
      const second = commit({ files: { 'tenants/a/x.yaml': '2' }, author: bob })
      commit({ files: { 'tenants/a/y.yaml': '2', 'tenants/a/z.yaml': '1' }, author: carol })
      commit({ files: { 'tenants/a/y.yaml': null }, author: bob })
      const git = await open(directory)
      const asked = [
        { path: 'tenants/a/x.yaml', since: null },
        { path: 'tenants/a/x.yaml', since: first },
        { path: 'tenants/a/x.yaml', since: second },
        { path: 'tenants/a/y.yaml', since: first },
        { path: 'tenants/a/z.yaml', since: null },
        { path: 'tenants/a/none.yaml', since: null },
      ]
      expect(await names(git, asked)).toEqual(['Bob Alice', 'Bob', '', 'Bob Carol', 'Carol', ''])
      expect(await names(git, asked.slice(1, 4))).toEqual(['Bob', '', 'Bob Carol'])
      expect(await names(git, asked.slice(1, 2), first)).toEqual([''])
      const [answer] = await git.authorsOf(asked.slice(1, 2), 'HEAD', [])
      expect(answer).toEqual({
        path: 'tenants/a/x.yaml',
        complete: true,
        authors: [{ ...bob, signer: null, commit: second }],
      })
    })

    test.skipIf(!hasProgram('ssh-keygen'))('names the signer when the signature is one of an allowed key', async () => {
      const { directory, commit } = repo()
      const key = sshKey(join(directory, '.git'), 'carol')
      const other = sshKey(join(directory, '.git'), 'other')
      const signed = commit({ files: { 'tenants/a/x.yaml': '1' }, author: bob, signedWith: key.file })
      commit({ files: { 'tenants/a/x.yaml': '2' }, author: bob, signedWith: other.file })
      commit({ files: { 'tenants/a/x.yaml': '3' }, author: carol })
      const git = await open(directory)
      const signers = [{ user: 'carol', key: key.publicKey, fromMs: null, untilMs: null }]
      const { authors } = await git.authorsSince('tenants/a/x.yaml', null, 'HEAD', signers)
      expect(authors.map(({ email, signer }) => [email, signer])).toEqual([
        [carol.email, null],
        [bob.email, null],
        [bob.email, 'carol'],
      ])
      expect((await git.resolve(signed)).signature).toContain('BEGIN SSH SIGNATURE')
    })

    test('names the authors of a merged branch and not who merged it', async () => {
      const { directory, commit, merge, git: run } = repo()
      const base = commit({ files: { 'tenants/a/x.yaml': '1' } })
      run('checkout', '--quiet', '-b', 'side')
      commit({ files: { 'tenants/a/x.yaml': '2' }, author: bob })
      run('checkout', '--quiet', 'main')
      commit({ files: { 'tenants/a/other.yaml': '1' } })
      merge('side', carol)
      expect(await names(await open(directory), [{ path: 'tenants/a/x.yaml', since: base }])).toEqual(['Bob'])
    })

    test('counts whoever resolves a conflict with content of their own', async () => {
      const { directory, commit, merge, git: run, write } = repo()
      const base = commit({ files: { 'tenants/a/x.yaml': '1' } })
      run('checkout', '--quiet', '-b', 'side')
      commit({ files: { 'tenants/a/x.yaml': '2' }, author: bob })
      run('checkout', '--quiet', 'main')
      commit({ files: { 'tenants/a/x.yaml': '3' } })
      expect(() => merge('side', carol)).toThrow()
      write({ 'tenants/a/x.yaml': 'evil' })
      commit({ author: carol })
      expect(await names(await open(directory), [{ path: 'tenants/a/x.yaml', since: base }])).toEqual([
        'Carol Bob Alice',
      ])
    })

    test('counts whoever drops a change by merging an old branch', async () => {
      const { directory, commit, merge, git: run } = repo()
      commit({ files: { 'tenants/a/x.yaml': 'old' } })
      run('branch', 'old')
      const applied = commit({ files: { 'tenants/a/x.yaml': 'new' }, author: bob })
      run('checkout', '--quiet', 'old')
      commit({ files: { 'tenants/a/other.yaml': '1' }, author: carol })
      merge('main', carol, '--strategy=ours')
      run('checkout', '--quiet', 'main')
      run('merge', '--quiet', '--ff-only', 'old')
      const git = await open(directory)
      expect((await contents(await git.treeAt('main')))['tenants/a/x.yaml']).toBe('old')
      expect(await names(git, [{ path: 'tenants/a/x.yaml', since: applied }])).toEqual(['Carol'])
    })

    test('counts everyone when the commit last applied is gone or on another branch', async () => {
      const { directory, commit, git: run } = repo()
      const base = commit({ files: { 'tenants/a/x.yaml': '1' } })
      run('checkout', '--quiet', '-b', 'abandoned')
      const abandoned = commit({ files: { 'tenants/a/x.yaml': '2' }, author: bob })
      run('checkout', '--quiet', 'main')
      commit({ files: { 'tenants/a/x.yaml': '3' }, author: carol })
      const git = await open(directory)
      const path = 'tenants/a/x.yaml'
      expect(await names(git, [{ path, since: 'f'.repeat(40) }])).toEqual(['Carol Alice'])
      expect(await names(git, [{ path, since: abandoned }])).toEqual(['Carol'])
      const both = [abandoned, base].map((since) => ({ path, since }))
      expect(await names(git, both)).toEqual(['Carol', 'Carol'])
    })
  })
})
