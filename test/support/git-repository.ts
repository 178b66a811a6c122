import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface TestPerson {
  readonly name: string
  readonly email: string
}

export const alice: TestPerson = { name: 'Alice Adams', email: 'alice@example.com' }
export const bob: TestPerson = { name: 'Bob Brown', email: 'bob@example.com' }
export const carol: TestPerson = { name: 'Carol Clark', email: 'carol@example.com' }

export interface TestCommit {
  /** Content by path; null deletes the file, `{ target }` makes a symlink. */
  readonly files?: { readonly [path: string]: string | Buffer | null | { readonly target: string } }
  readonly author?: TestPerson
  /** Private key file to sign with, from `sshKey`. */
  readonly signedWith?: string
  readonly message?: string
}

/** A real repository in a temporary directory, made with the `git` binary and none of this machine's configuration. */
export interface TestRepository {
  readonly directory: string
  git(...args: string[]): string
  write(files: NonNullable<TestCommit['files']>): void
  /** Writes, adds everything and commits; returns the sha. Times go up by a minute a commit, so that shas are stable. */
  commit(commit?: TestCommit): string
  /** Merges a revision with a merge commit of its own and returns the sha. */
  merge(rev: string, author?: TestPerson, ...options: string[]): string
  remove(): void
}

export function gitRepository(options: { readonly init?: readonly string[] } = {}): TestRepository {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-git-')))
  let minutes = 0
  const repository: TestRepository = {
    directory,
    git: (...args) => git(directory, alice, minutes, args),
    write(files) {
      for (const [path, content] of Object.entries(files)) writeFile(join(directory, path), content)
    },
    commit({ files = {}, author = alice, signedWith, message = 'change' } = {}) {
      minutes++
      repository.write(files)
      git(directory, author, minutes, ['add', '--all'])
      const signing = signedWith === undefined ? ['--no-gpg-sign'] : ['-S']
      const key = signedWith === undefined ? [] : ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${signedWith}`]
      git(directory, author, minutes, [...key, 'commit', '--quiet', '--allow-empty', ...signing, '-m', message])
      return head()
    },
    merge(rev, author = alice, ...mergeOptions) {
      minutes++
      git(directory, author, minutes, ['merge', '--quiet', '--no-ff', '-m', `merge ${rev}`, ...mergeOptions, rev])
      return head()
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
  repository.git('init', '--quiet', '--initial-branch=main', ...(options.init ?? []))
  return repository

  function head(): string {
    return repository.git('rev-parse', 'HEAD').trim()
  }
}

export interface TestSshKey {
  /** The private key's file; the `.pub` lies beside it. */
  readonly file: string
  readonly publicKey: string
}

/** A fresh key pair from `ssh-keygen`, without a passphrase. */
export function sshKey(directory: string, name: string, type = 'ed25519', bits?: number): TestSshKey {
  const file = join(directory, name)
  const size = bits === undefined ? [] : ['-b', String(bits)]
  execFileSync('ssh-keygen', ['-q', '-t', type, ...size, '-N', '', '-C', `${name}@example.com`, '-f', file])
  return { file, publicKey: readFileSync(`${file}.pub`, 'utf8').trim() }
}

/** Whether a program is on this machine, for tests that say aloud why they are skipped. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function git(directory: string, author: TestPerson, minutes: number, args: readonly string[]): string {
  const date = `${Date.UTC(2026, 0, 1) / 1000 + minutes * 60} +0000`
  return execFileSync('git', args, {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: author.name,
      GIT_COMMITTER_EMAIL: author.email,
      GIT_COMMITTER_DATE: date,
    },
  })
}

function writeFile(file: string, content: string | Buffer | null | { readonly target: string }): void {
  rmSync(file, { force: true, recursive: true })
  if (content === null) return
  mkdirSync(dirname(file), { recursive: true })
  if (typeof content === 'string' || Buffer.isBuffer(content)) writeFileSync(file, content)
  else symlinkSync(content.target, file)
}
