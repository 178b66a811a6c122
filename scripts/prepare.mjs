// Installs what is missing before `npm start` and `npm test`. Plain JavaScript, for it may run on the machine's own
// Node (20 or newer) before the repository's Node 24 is there. Says nothing when there is nothing to do.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const lockfile = join(root, 'package-lock.json')
const installed = join(root, 'node_modules', '.package-lock.json')
const marker = join(root, 'node_modules', '.fibric-installed')
const nodeMajorMin = 24
const nodeMajorToInstall = 20

/** An end with a message for the reader, after every `finally`. */
class Refusal extends Error {
  constructor(message, hint) {
    super(message)
    this.hint = hint
  }
}

try {
  await prepare()
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  console.error(`fibric: ${error.message}\n  ${error.hint}`)
  process.exitCode = 1
}

async function prepare() {
  if (!isCurrent()) {
    refuseOldNode()
    await alone(() => {
      if (!isCurrent()) install()
    })
  }
  refuseWithoutRuntime()
}

/** By the mark of the last install; failing that, by comparing what npm says it installed. */
function isCurrent() {
  const present = readText(installed)
  if (present === null) return false
  const wanted = readText(lockfile)
  if (readText(marker) === fingerprintOf(wanted, present)) return true
  const all = missing(wanted, present)
  if (all.length > 0) return false
  writeMarker(fingerprintOf(wanted, present))
  return true
}

/** The locked packages that are not installed as locked; optional ones count where they say that they fit this machine. */
function missing(wanted, present) {
  const there = JSON.parse(present).packages
  return Object.entries(JSON.parse(wanted).packages).flatMap(
    ([path, { version, integrity, optional, os, cpu, libc }]) => {
      if (path === '') return []
      const found = there[path]
      if (found?.version === version && found.integrity === integrity) return []
      const fits =
        (os ?? cpu) !== undefined && libc === undefined && allows(os, process.platform) && allows(cpu, process.arch)
      if (found === undefined && optional === true && !fits) return []
      return [{ path, optional: optional === true }]
    },
  )
}

function allows(list, value) {
  const names = [list ?? []].flat()
  return (
    names.length === 0 ||
    names.includes(value) ||
    (names.every((name) => name[0] === '!') && !names.includes(`!${value}`))
  )
}

/**
 * `npm install --no-save` and not `npm ci`: it installs exactly what is locked and changes no file either (checked below),
 * it keeps what is right already (a server may be running from it), and it forgives a lockfile without the
 * optional packages of platforms that its author's registry did not have.
 */
function install() {
  console.error('installing packages …')
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  // npm itself, when it runs this: the one that was meant, whatever else is on the PATH.
  const npm = process.env.npm_execpath
  const [program, prefix] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const { status, error } = spawnSync(program, [...prefix, ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0)
    refuseFailure(error === undefined ? `npm install ended with ${status}` : `npm does not start (${error.code})`)
  const wanted = readText(lockfile)
  const present = readText(installed) ?? '{"packages":{}}'
  const [first] = missing(wanted, present).filter(({ optional }) => !optional)
  if (first !== undefined) {
    throw new Refusal(`\`${first.path}\` is not as package-lock.json has it`, 'remove node_modules and try again')
  }
  // What is optional and still missing could not be had: not asked for again until the lockfile changes.
  writeMarker(fingerprintOf(wanted, present))
}

function refuseFailure(reason) {
  if (!isWritable())
    throw new Refusal(`${reason}: this user may not write \`${root}\``, 'run `npm install` as its owner')
  throw new Refusal(reason, 'it needs the npm registry, or a cache that has every package: check the network')
}

function fingerprintOf(wanted, present) {
  return createHash('sha256').update(wanted).update(present).digest('hex')
}

/** Two commands started at once must not install over each other: the second waits for the first. */
async function alone(work) {
  const name = createHash('sha256').update(`${process.getuid?.()}:${root}`).digest('hex').slice(0, 12)
  const lock = join(tmpdir(), `fibric-install-${name}.lock`)
  for (let waitedMs = 0; !take(lock); waitedMs += 200) {
    if (waitedMs === 0) console.error('waiting for another process that installs the packages …')
    if (!isHeld(lock) || waitedMs > 600_000) rmSync(lock, { force: true })
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  try {
    work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function take(lock) {
  try {
    const descriptor = openSync(lock, 'wx', 0o644)
    writeFileSync(descriptor, String(process.pid))
    closeSync(descriptor)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function isHeld(lock) {
  const pid = Number(readText(lock))
  if (!(pid > 0)) return readText(lock) !== null // its owner is just writing
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function refuseOldNode() {
  if (Number.parseInt(process.versions.node, 10) >= nodeMajorToInstall) return
  throw new Refusal(
    `this is Node.js ${process.versions.node}`,
    `install Node.js ${nodeMajorMin}, or at least ${nodeMajorToInstall}`,
  )
}

/** Where no Node 24 can be installed from the registry, the machine's own has to do. */
function refuseWithoutRuntime() {
  if (Number.parseInt(process.versions.node, 10) >= nodeMajorMin) return
  if (statSync(join(root, 'node_modules', '.bin', 'node'), { throwIfNoEntry: false }) !== undefined) return
  throw new Refusal(
    `Node.js ${nodeMajorMin} or newer is needed, and this is ${process.versions.node}`,
    `there is no package of it for ${process.platform}-${process.arch}: install it from https://nodejs.org`,
  )
}

function isWritable() {
  try {
    const probe = join(root, '.fibric-probe')
    writeFileSync(probe, '')
    rmSync(probe)
    return true
  } catch {
    return false
  }
}

function writeMarker(fingerprint) {
  try {
    writeFileSync(marker, fingerprint)
  } catch {
    // A user who may only read the packages compares them each time: a few milliseconds.
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}
