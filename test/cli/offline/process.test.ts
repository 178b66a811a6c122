import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fibric, plainEnvironment, root } from '../../support/cli.ts'

const start = join(root, 'cli/start.mjs')

describe('the process', () => {
  test.each([['--version'], ['version']])('prints the version with %s', async (word) => {
    expect(await fibric([word], '/')).toEqual({ stdout: '0.1.0\n', stderr: '', exit: 0 })
    const { stdout } = await fibric([word, '--json'], '/')
    expect(JSON.parse(stdout)).toEqual({ object: 'version', version: '0.1.0' })
  })

  test.each([
    { argv: [] },
    { argv: ['--help'] },
    { argv: ['-h'] },
    { argv: ['help'] },
    { argv: ['validate', '--help'] },
    { argv: ['help', 'validate'] },
    { argv: ['plans', '--help'] },
    { argv: ['plans', 'show', '-h'] },
  ])('helps with $argv', async ({ argv }) => {
    const { stdout, stderr, exit } = await fibric(argv, '/')
    expect({ stderr, exit }).toEqual({ stderr: '', exit: 0 })
    expect(stdout).toMatch(/USAGE\n {2}\$ fibric/)
  })

  test('describes a command with a summary, arguments, flags and examples', async () => {
    const { stdout } = await fibric(['validate', '--help'], '/', { COLUMNS: '100' })
    await expect(stdout).toMatchFileSnapshot(join(root, 'test/golden/cli/help-validate.txt'))
  })

  test('ends with 130 when it is interrupted', async () => {
    // Reading from a pipe that never ends would be simpler, but no offline command reads stdin.
    const child = spawn(process.execPath, [start, 'validate', root], { env: plainEnvironment(), stdio: 'ignore' })
    const ended = new Promise<{ code: number | null }>((resolve) => child.on('close', (code) => resolve({ code })))
    const timer = setInterval(() => child.kill('SIGINT'), 2)
    const { code } = await ended
    clearInterval(timer)
    // Before our handler is there, the signal itself ends the process: a shell calls that 130 too.
    expect([130, null]).toContain(code)
  })

  test('does not mind a reader that leaves', () => {
    const script = `"$0" "$1" explain | head -c 1 > /dev/null; echo "\${PIPESTATUS[0]}"`
    const options = { encoding: 'utf8', env: plainEnvironment() } as const
    expect(execFileSync('bash', ['-c', script, process.execPath, start], options)).toBe('0\n')
  })

  test('takes nothing from the stdin of the loop that it runs in', () => {
    const script = `printf '1\\n2\\n3\\n' | while read -r line; do "$0" "$1" explain Role > /dev/null; echo "$line"; done`
    const options = { encoding: 'utf8', env: plainEnvironment() } as const
    expect(execFileSync('bash', ['-c', script, process.execPath, start], options)).toBe('1\n2\n3\n')
  })

  test('shows the stack of a defect only when asked', async () => {
    // Nothing of ours is broken, so the process is, from outside.
    const breaking = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(broken)}` }
    const quiet = await fibric(['explain', 'Role'], '/', breaking)
    expect(quiet.exit).toBe(1)
    expect(quiet.stderr).toBe(
      'error this is a defect of fibric: broken on purpose (INTERNAL)\n' +
        'hint:  run it again with FIBRIC_DEBUG=1 for the stack, and report it\n',
    )
    const loud = await fibric(['explain', 'Role'], '/', { ...breaking, FIBRIC_DEBUG: '1' })
    expect(loud.stderr).toMatch(/broken on purpose \(INTERNAL\)\n[\s\S]*\n\s+at /)
  })
})

const broken = `const { toLowerCase } = String.prototype
String.prototype.toLowerCase = function () {
  if (new Error().stack.includes('schemas/registry.ts')) throw new Error('broken on purpose')
  return toLowerCase.call(this)
}`
