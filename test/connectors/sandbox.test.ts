import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findSandbox, installedPrograms } from '../../controller/connectors/sandbox.ts'
import { locateProgram } from '../../controller/connectors/sandbox-program.ts'

const parent = fileURLToPath(new URL('sandbox-parent.ts', import.meta.url))
const kinds = [
  { kind: 'bubblewrap', sandbox: await findSandbox({ ...installedPrograms(), unshare: null }) },
  { kind: 'unshare', sandbox: await findSandbox({ ...installedPrograms(), bwrap: null }) },
]

describe.each(kinds)('$kind', ({ kind, sandbox }) => {
  const missing = sandbox.kind === 'none'
  if (sandbox.kind === 'none') console.warn(`skipped: ${sandbox.reason}`)
  const run = (script: string) => {
    if (sandbox.kind === 'none') throw new Error(sandbox.reason)
    const [program, ...args] = sandbox.confine(['/bin/sh', '-c', script], [])
    const { stdout, stderr, status } = spawnSync(program!, args, { encoding: 'utf8', env: { SECRET: 'canary-value' } })
    return { stdout: stdout.trim(), stderr, status }
  }

  test.skipIf(missing)('takes every capability, and gives no way to get one back', () => {
    expect(run('grep -E "^Cap(Prm|Eff|Bnd)" /proc/self/status | tr -d "\\t"').stdout.split('\n')).toEqual(
      ['CapPrm', 'CapEff', 'CapBnd'].map((name) => `${name}:${'0'.repeat(16)}`),
    )
    expect(run('grep NoNewPrivs /proc/self/status').stdout).toMatch(/1$/)
    expect(run('unshare --user true').status).not.toBe(0)
  })

  test.skipIf(missing)('shows no process, no network and no secret of this machine', () => {
    expect(run('ls /proc | grep -cE "^[0-9]+$"').stdout).toMatch(/^[1-9]$/)
    expect(run('tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "').stdout).toBe('lo')
    expect(run('env').stdout).not.toContain('canary-value')
    expect(run('ls /').stdout.split('\n')).not.toContain('root')
  })

  test.skipIf(missing)('bounds what a program may use', () => {
    // The tmpfs is full before the limit on one file is reached.
    expect(run('head -c 200000000 /dev/zero > /tmp/x').status).not.toBe(0)
    const hungry = 'const held = []; for (;;) held.push(Buffer.alloc(1 << 26, 1))'
    const located = locateProgram(['node'])
    if ('problem' in located || sandbox.kind === 'none') throw new Error('unreachable')
    const [program, ...args] = sandbox.confine([...located.command, '-e', hungry], located.files)
    expect(spawnSync(program!, args, { timeout: 60_000 }).status).not.toBe(0)
  })

  test.skipIf(missing)('ends a program with whoever started it, however that ends', async () => {
    const child = spawn(process.execPath, [parent, kind], { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = await new Promise<number>((resolve) => child.stdout.once('data', (line) => resolve(Number(line))))
    const family = descendants(pid)
    expect(family.length).toBeGreaterThan(1)
    child.kill('SIGKILL')
    await expect.poll(() => family.filter(isAlive), { timeout: 20_000 }).toEqual([])
  })
})

/** A process and everything below it. */
function descendants(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((name) => {
    const status = /^\d+$/.test(name) ? statusOf(Number(name)) : null
    return status === null ? [] : [{ pid: Number(name), ppid: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]) }]
  })
  const below = (id: number): number[] => [
    id,
    ...parents.filter(({ ppid }) => ppid === id).flatMap((each) => below(each.pid)),
  ]
  return below(pid)
}

function isAlive(pid: number): boolean {
  const status = statusOf(pid)
  return status !== null && !/^State:\s*[ZX]/m.test(status)
}

function statusOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return null
  }
}

test('a program is found by its name, and sees what it is made of', () => {
  expect(locateProgram(['no-such-program'])).toEqual({
    problem: 'there is no program `no-such-program` on this machine',
  })
  expect(locateProgram(['../escape'])).toHaveProperty('problem')
  const shell = execFileSync('/bin/sh', ['-c', 'command -v env'], { encoding: 'utf8' }).trim()
  expect(locateProgram(['env', 'x'])).toMatchObject({ command: [expect.stringContaining('env'), 'x'], files: [] })
  expect(shell).toContain('env')
  expect(locateProgram(['node', 'x.js'])).toMatchObject({ command: [process.execPath, 'x.js'] })
})
