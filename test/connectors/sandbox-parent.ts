// Starts a program in the sandbox that its argument names, says so, and waits to be killed.
import { spawn } from 'node:child_process'
import { findSandbox, installedPrograms } from '../../controller/connectors/sandbox.ts'

const kind = process.argv[2]
const programs = installedPrograms()
const without = kind === 'bubblewrap' ? { unshare: null } : { bwrap: null }
const sandbox = await findSandbox({ ...programs, ...without })
if (sandbox.kind === 'none') throw new Error(sandbox.reason)
const [program, ...args] = sandbox.confine(['/bin/sh', '-c', 'echo up; sleep 3600'], [])
const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
child.stdout.on('data', () => process.stdout.write(`${child.pid}\n`))
