import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bashScript } from '../../../cli/completion/bash.ts'
import type { Completion } from '../../../cli/completion/completions.ts'
import { fishScript } from '../../../cli/completion/fish.ts'
import { zshScript } from '../../../cli/completion/zsh.ts'
import { fibric, root } from '../../support/cli.ts'

const json = { name: 'json', char: null, summary: 'print JSON', takesValue: false, values: [] }
const format = { name: 'format', char: 'f', summary: 'how', takesValue: true, values: ['human', 'sarif'] }
const none = { words: [], flags: [json], values: [], files: false }

/** A small program: one command with a folder, one with a closed list, one topic. */
const program: readonly Completion[] = [
  {
    ...{ path: '', flags: [], values: [], files: false },
    words: [
      { word: 'plans', summary: 'what waits' },
      { word: 'shell', summary: 'print a script' },
      { word: 'validate', summary: 'report every problem' },
    ],
  },
  { ...none, path: 'plans', flags: [], words: [{ word: 'list', summary: 'list them' }] },
  { ...none, path: 'plans list' },
  { ...none, path: 'shell', values: ['bash', 'zsh'] },
  { ...none, path: 'validate', flags: [format, json], files: true },
]

const hasShell = (name: string) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false // the shell is not installed here
  }
}

describe('completion scripts', () => {
  test.each([
    { shell: 'bash', script: bashScript(program) },
    { shell: 'zsh', script: zshScript(program) },
    { shell: 'fish', script: fishScript(program) },
  ])('of a small program for $shell', async ({ shell, script }) => {
    await expect(script).toMatchFileSnapshot(join(root, `test/golden/cli/completion.${shell}`))
  })

  test.each([
    { typed: ['fibric', ''], want: ['--help', '--version', 'plans', 'shell', 'validate'] },
    { typed: ['fibric', 'v'], want: ['validate'] },
    { typed: ['fibric', 'plans', ''], want: ['--help', 'list'] },
    { typed: ['fibric', 'plans', 'list', '--'], want: ['--help', '--json'] },
    { typed: ['fibric', 'shell', 'b'], want: ['bash'] },
    { typed: ['fibric', 'validate', '--format', ''], want: ['human', 'sarif'] },
    { typed: ['fibric', 'validate', '--f'], want: ['--format'] },
    { typed: ['fibric', 'validate', 'package.j'], want: ['package.json'] },
  ])('bash completes $typed', ({ typed, want }) => {
    const script = `${bashScript(program)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fibric; printf '%s\\n' "\${COMPREPLY[@]}"`
    const out = execFileSync('bash', ['-c', script, 'bash', ...typed], { encoding: 'utf8', cwd: root })
    expect(out.split('\n').filter(Boolean).sort()).toEqual(want)
  })

  test.each(['bash', 'zsh', 'fish'])('of the real program is one that %s can read', async (shell) => {
    const { stdout, exit } = await fibric(['autocomplete', shell], '/')
    expect(exit).toBe(0)
    for (const command of ['validate', 'plans', 'receipts']) expect(stdout).toContain(command)
    if (!hasShell(shell)) return
    const check = { bash: ['-n'], zsh: ['-n'], fish: ['--no-execute'] }[shell]!
    expect(() => execFileSync(shell, check, { input: stdout, stdio: ['pipe', 'ignore', 'pipe'] })).not.toThrow()
  })
})
