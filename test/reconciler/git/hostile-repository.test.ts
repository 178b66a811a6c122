import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FibricError } from '../../../controller/domain/errors.ts'
import { openGit } from '../../../controller/reconciler/git/open.ts'
import type { GitRepository } from '../../../controller/reconciler/git/repository.ts'
import { gitRepository, type TestRepository } from '../../support/git-repository.ts'

let repository: TestRepository
let outside: string

beforeEach(() => {
  repository = gitRepository()
  outside = mkdtempSync(join(tmpdir(), 'fibric-outside-'))
})

afterEach(() => {
  repository.remove()
  rmSync(outside, { recursive: true, force: true })
})

/** Calls everything a repository offers; failures are fine here, running a planted program is not. */
async function useEverything(git: GitRepository): Promise<void> {
  const calls = [
    () => git.resolve('main'),
    () => git.head(),
    async () => {
      const tree = await git.treeAt('HEAD')
      for (const { path, kind } of await tree.list()) if (kind === 'file') await tree.read(path)
    },
    async () => {
      const tree = await git.workingTree()
      for (const { path } of await tree.list()) await tree.read(path).catch(expectFibricError)
    },
    () => git.isClean(),
    () => git.authorsSince('tenants/a/x.yaml', null, 'HEAD', []),
    () => git.isAncestor('HEAD~1', 'HEAD'),
    () => git.firstParentLine(null, 'HEAD'),
  ]
  for (const call of calls) await call().catch(expectFibricError)
}

function expectFibricError(error: unknown): void {
  expect(error).toBeInstanceOf(FibricError)
}

describe.each(['binary', 'builtin'] as const)(
  'the %s implementation, in a repository made by an enemy',
  (implementation) => {
    test('starts nothing that its configuration, attributes or hooks name', async () => {
      const program = join(outside, 'program')
      const marks = join(outside, 'marks')
      writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> ${marks}\ncat\n`)
      chmodSync(program, 0o755)
      const { commit, write, git, directory } = repository
      commit({ files: { 'tenants/a/x.yaml': 'x\n' } })
      commit({ files: { 'tenants/a/x.yaml': 'y\n', 'fibric.yaml': 'z\n', '.gitattributes': '' } })
      const settings = {
        'core.fsmonitor': program,
        'core.hooksPath': join(outside, 'hooks'),
        'core.pager': program,
        'core.editor': program,
        'core.sshCommand': program,
        'core.askPass': program,
        'core.gitProxy': program,
        'core.alternateRefsCommand': program,
        'credential.helper': `!${program}`,
        'diff.external': program,
        'diff.plant.textconv': program,
        'diff.plant.command': program,
        'filter.plant.clean': program,
        'filter.plant.smudge': program,
        'filter.plant.process': program,
        'filter.plant.required': 'true',
        'gpg.program': program,
        'gpg.ssh.program': program,
        'log.showSignature': 'true',
        'alias.cat-file': `!${program}`,
        'alias.ls-files': `!${program}`,
        'pager.log': program,
        'remote.origin.url': `ext::${program} %S`,
        'remote.origin.uploadpack': program,
      }
      for (const [name, value] of Object.entries(settings)) git('config', name, value)
      for (const hook of ['post-index-change', 'pre-commit', 'reference-transaction', 'post-checkout']) {
        write({ [`.git/hooks/${hook}`]: `#!/bin/sh\n${program} ${hook}\n` })
        chmodSync(join(directory, `.git/hooks/${hook}`), 0o755)
      }
      write({ '.gitattributes': '* filter=plant diff=plant\n', 'tenants/a/x.yaml': 'changed\r\n' })

      const opened = (await openGit(directory, { implementation }))!
      await useEverything(opened)
      expect(existsSync(marks)).toBe(false)
      expect(await opened.isClean()).toBe(false)

      // The trap works: what a person types by habit walks into it.
      spawnSync('git', ['status'], { cwd: directory, env: { PATH: process.env.PATH, HOME: outside } })
      expect(existsSync(marks)).toBe(true)
    })

    test('fetches nothing when an object is missing', async () => {
      const program = join(outside, 'program')
      const marks = join(outside, 'marks')
      writeFileSync(program, `#!/bin/sh\necho "$*" >> ${marks}\n`)
      chmodSync(program, 0o755)
      const { commit, git, directory } = repository
      commit({ files: { 'fibric.yaml': 'x' } })
      const blob = git('rev-parse', 'HEAD:fibric.yaml').trim()
      rmSync(join(directory, '.git/objects', blob.slice(0, 2), blob.slice(2)))
      git('config', 'remote.origin.url', `ext::${program}`)
      git('config', 'remote.origin.promisor', 'true')
      git('config', 'protocol.ext.allow', 'always')
      const read = async () =>
        (await (await openGit(directory, { implementation }))!.treeAt('HEAD')).read('fibric.yaml')
      const message = implementation === 'binary' ? `blob \`${blob}\` is missing` : 'it is a partial clone'
      await expect(read()).rejects.toMatchObject({ code: 'GIT', message: expect.stringContaining(message) })
      expect(existsSync(marks)).toBe(false)
    })

    test('reads the commit itself, not what a replace ref or a graft puts in its place', async () => {
      const { commit, git, directory, write } = repository
      const first = commit({ files: { 'fibric.yaml': 'approved' } })
      const second = commit({ files: { 'fibric.yaml': 'other' } })
      git('replace', first, second)
      write({ '.git/info/grafts': `${second}\n` })
      const opened = (await openGit(directory, { implementation }))!
      expect((await (await opened.treeAt(first)).read('fibric.yaml')).toString()).toBe('approved')
      expect(await opened.isAncestor(first, second)).toBe(true)
    })

    test('writes nothing into the repository', async () => {
      const { commit, directory, write } = repository
      commit({ files: { 'tenants/a/x.yaml': 'x' } })
      commit({ files: { 'tenants/a/x.yaml': 'y' } })
      write({ 'tenants/a/x.yaml': 'z', 'tenants/a/new.yaml': 'n' })
      const before = readdirSync(directory, { recursive: true }).sort()
      await useEverything((await openGit(directory, { implementation }))!)
      expect(readdirSync(directory, { recursive: true }).sort()).toEqual(before)
    })

    test.skipIf(process.getuid?.() !== 0)(
      'reads a checkout that belongs to somebody else (needs root to make one)',
      async () => {
        const { commit, directory } = repository
        commit({ files: { 'fibric.yaml': 'x' } })
        for (const path of ['.', '.git', 'fibric.yaml']) chownSync(join(directory, path), 12345, 12345)
        const refused = spawnSync('git', ['rev-parse', 'HEAD'], {
          cwd: directory,
          env: { PATH: process.env.PATH, HOME: outside },
        })
        expect(refused.stderr.toString()).toContain('dubious ownership')
        const git = (await openGit(directory, { implementation }))!
        expect(await git.isClean()).toBe(true)
        expect((await (await git.treeAt('HEAD')).read('fibric.yaml')).toString()).toBe('x')
      },
    )

    test('answers a damaged repository with an error of ours', async () => {
      const { commit, directory, write } = repository
      commit({ files: { 'tenants/a/x.yaml': 'x' } })
      for (const damage of [
        { '.git/HEAD': 'ref: refs/heads/main\0\n' },
        { '.git/index': 'DIRCnonsense' },
        { '.git/config': '[core' },
      ]) {
        write(damage)
        const git = await openGit(directory, { implementation }).catch((error: unknown) => expectFibricError(error))
        if (git) await useEverything(git)
      }
    })
  },
)

describe('what only the binary can read', () => {
  test.each([
    { name: 'a SHA-256 repository', because: 'its objects are named by SHA256', make: sha256Repository },
    { name: 'a shallow clone', because: 'it is a shallow clone', make: shallowClone },
    { name: 'a partial clone', because: 'it is a partial clone', make: partialClone },
    { name: 'a linked working tree', because: 'it is a linked working tree', make: linkedTree },
  ])('$name is read with git, and refused by name without', async ({ make, because }) => {
    const directory = make()
    const git = (await openGit(directory, { implementation: 'binary' }))!
    expect((await (await git.treeAt('HEAD')).read('fibric.yaml')).toString()).toBe('two')
    expect(await git.isClean()).toBe(true)
    await expect(openGit(directory, { implementation: 'builtin' })).rejects.toMatchObject({
      code: 'GIT',
      message: expect.stringContaining(because),
      hint: 'install git',
    })
  })

  test('authors seen in a shallow clone are not all of them, unless what was applied is in it', async () => {
    const directory = shallowClone()
    const git = (await openGit(directory, { implementation: 'binary' }))!
    expect((await git.authorsSince('fibric.yaml', null, 'HEAD', [])).complete).toBe(false)
    const head = (await git.resolve('HEAD')).sha
    expect(await git.authorsSince('fibric.yaml', head, 'HEAD', [])).toMatchObject({ complete: true, authors: [] })
  })

  function sha256Repository(): string {
    repository.remove()
    repository = gitRepository({ init: ['--object-format=sha256'] })
    twoCommits()
    return repository.directory
  }

  function shallowClone(): string {
    twoCommits()
    repository.git('clone', '--quiet', '--depth=1', `file://${repository.directory}`, 'clone')
    return join(repository.directory, 'clone')
  }

  function partialClone(): string {
    twoCommits()
    repository.git('config', 'uploadpack.allowFilter', 'true')
    repository.git('clone', '--quiet', '--filter=blob:none', `file://${repository.directory}`, 'clone')
    return join(repository.directory, 'clone')
  }

  function linkedTree(): string {
    twoCommits()
    repository.git('worktree', 'add', '--quiet', 'linked')
    return join(repository.directory, 'linked')
  }

  function twoCommits(): void {
    repository.commit({ files: { 'fibric.yaml': 'one' } })
    repository.commit({ files: { 'fibric.yaml': 'two' } })
  }
})
