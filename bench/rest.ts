import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

/**
 * What `fibric up` costs when nothing happens: 1,000 tenants, each with a connection and an operator that follows its
 * events. Reads `/proc`, so it needs Linux. Prints JSON: resident memory in MB, and processor time as a share of one core,
 * of the controller and of all PostgreSQL processes.
 */
const { values } = parseArgs({
  options: { tenants: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '120' } },
})
const tenants = Number(values.tenants)
const seconds = Number(values.seconds)
const root = mkdtempSync(join(tmpdir(), 'fibric-rest-'))

try {
  writeRepository(root, tenants)
  const started = performance.now()
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../cli/bin.ts'), 'up', '.', '--port', '0', '--data-dir', join(root, '.data')],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await said(child, 'Ctrl-C stops')
  const readyMs = performance.now() - started
  // What starting leaves to do, the first look at the folder that nobody asked for included; the next one is measured.
  await sleep(75_000)
  const before = usage(child.pid!)
  const load = loadavg()[0]!
  await sleep(seconds * 1000)
  const after = usage(child.pid!)
  child.kill('SIGINT')
  await new Promise((resolve) => child.once('close', resolve))
  const share = (milliseconds: number) => Number(((milliseconds / (seconds * 1000)) * 100).toFixed(2))
  // What a connection's process did that ended meanwhile cannot be known any more.
  const ofDatabase = [...after.databaseMs].map(([pid, time]) => time - (before.databaseMs.get(pid) ?? 0))
  const result = {
    tenants,
    seconds,
    load,
    readyMs: Math.round(readyMs),
    controllerMb: after.controllerMb,
    controllerPercent: share(after.controllerMs - before.controllerMs),
    databasePercent: share(ofDatabase.reduce((sum, each) => sum + each, 0)),
  }
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
} finally {
  rmSync(root, { recursive: true, force: true })
}

function writeRepository(folder: string, count: number): void {
  const write = (path: string, kind: string, name: string, spec: string): void => {
    const file = join(folder, 'tenants', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `apiVersion: fibric.io/v1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`)
  }
  const rule = '{id: everything, match: {capability: "**"}, decision: ALLOW}'
  write('_platform/policy.yaml', 'TrustPolicy', 'any', `{rules: [${rule}]}`)
  write(
    '_platform/connector.yaml',
    'Connector',
    'desk',
    `{version: 1.0.0, category: support, auth: {kind: none}, runtime: http, http: {baseUrl: "https://desk.example.com"}, tools: {note.write: {description: Write a note, tier: 1, effect: keyed, input: {type: object}, http: {method: POST, path: /notes, idempotencyHeader: Idempotency-Key}}}}`,
  )
  for (let index = 0; index < count; index++) {
    const slug = `tenant-${index}`
    write(`${slug}/tenant.yaml`, 'Tenant', slug, `{displayName: Tenant ${index}}`)
    write(`${slug}/connection.yaml`, 'Connection', 'desk', '{connector: desk@1.0.0, as: [desk]}')
    write(
      `${slug}/operator.yaml`,
      'Operator',
      'notes',
      `{goal: Write it down, trigger: {on: [order.created]}, capabilities: [note.write], reason: {rules: [{when: "true", propose: [{capability: note.write, args: {}}]}]}}`,
    )
  }
}

/** Processor time in milliseconds since each began, and resident memory. */
function usage(controller: number) {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const ofDatabase = processes.filter((pid) => {
    try {
      const isOurs = readFileSync(`/proc/${pid}/environ`, 'latin1').includes(root)
      return isOurs || descendsFrom(Number(pid), postmaster())
    } catch {
      return false // it ended meanwhile
    }
  })
  return {
    controllerMs: timeMs(controller),
    controllerMb: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${controller}/status`, 'utf8'))![1]) >> 10,
    databaseMs: new Map(
      ofDatabase.filter((pid) => Number(pid) !== controller).map((pid) => [pid, timeMs(Number(pid))]),
    ),
  }
}

function postmaster(): number {
  return Number.parseInt(readFileSync(join(root, '.data/postgres/postmaster.pid'), 'utf8'), 10)
}

function descendsFrom(pid: number, parent: number): boolean {
  return pid === parent || fieldsOf(pid)[1] === String(parent)
}

function timeMs(pid: number): number {
  const fields = fieldsOf(pid)
  return (Number(fields[11]) + Number(fields[12])) * 10 // clock ticks of 10 ms
}

/** The fields of `/proc/PID/stat` after the name, which may hold spaces. */
function fieldsOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

async function said(child: ChildProcess, text: string): Promise<void> {
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
  })
  while (!output.includes(text)) {
    if (child.exitCode !== null) throw new Error(`\`up\` ended with ${child.exitCode}:\n${output.slice(-2000)}`)
    await sleep(100)
  }
}
