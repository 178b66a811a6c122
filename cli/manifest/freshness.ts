import { hash } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Interfaces } from '@oclif/core'

const manifestName = 'oclif.manifest.json'

/**
 * Whether `oclif.manifest.json`, which spares loading every command, may be believed.
 *
 * In the repository it is made from the sources as they are and never committed: a stamp of every file of `cli/` says
 * whether one has changed since, so that an old manifest costs time and never hides a flag. What is published has no
 * sources, and a manifest made with it.
 */
export function isManifestFresh(root: string): boolean {
  if (!runsFromSource()) return true
  try {
    const head = /^\{"sources":"([0-9a-f]+)"/.exec(readFileSync(join(root, manifestName), 'utf8'))
    return head !== null && head[1] === stampOf(root)
  } catch {
    return false // there is none yet
  }
}

/** Null where it cannot be read, which costs only time. */
export function readManifest(root: string): Interfaces.Manifest | null {
  try {
    return JSON.parse(readFileSync(join(root, manifestName), 'utf8')) as Interfaces.Manifest
  } catch {
    return null // torn by hand or by a full disk: it is made again
  }
}

/** Writes the manifest as a whole; false where the folder may not be written, which costs only time. */
export function writeManifest(root: string, manifest: Interfaces.Manifest): boolean {
  const path = join(root, manifestName)
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, `${JSON.stringify({ sources: stampOf(root), ...manifest })}\n`)
    renameSync(temporary, path)
    return true
  } catch {
    rmSync(temporary, { force: true })
    return false
  }
}

function runsFromSource(): boolean {
  return import.meta.filename.endsWith('.ts')
}

/** Names, sizes and times instead of contents: 80 files in a millisecond. */
function stampOf(root: string): string {
  const lines: string[] = [version(root)]
  for (const name of readdirSync(join(root, 'cli'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.ts')) continue
    const { size, mtimeMs, ctimeMs } = statSync(join(root, 'cli', name))
    lines.push(`${name} ${size} ${mtimeMs} ${ctimeMs}`)
  }
  return hash('sha256', lines.join('\n'), 'hex').slice(0, 32)
}

function version(root: string): string {
  const { mtimeMs, size } = statSync(join(root, 'package.json'))
  return `${size} ${mtimeMs}`
}
