import { lstatSync, readlinkSync, statSync } from 'node:fs'
import type { BoundFile } from './sandbox.ts'

export interface UnshareLayout {
  readonly systemFolders: readonly string[]
  readonly systemFiles: readonly string[]
  readonly environment: { readonly [name: string]: string }
  readonly tmpfsBytes: number
  readonly files: readonly BoundFile[]
}

/**
 * What bubblewrap does, as a script for the root of fresh namespaces: builds a root of its own, moves into it, lets go of
 * the old one and of every capability, and becomes the program (`"$@"`).
 *
 * The new root is mounted over `/sys`, because nothing that is bound can lie there.
 */
export function unshareScript({ systemFolders, systemFiles, environment, tmpfsBytes, files }: UnshareLayout): string {
  const variables = Object.entries(environment).map(([name, value]) => quoted(`${name}=${value}`))
  return [
    'set -eu',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    'mount -t tmpfs -o size=4m,mode=755 tmpfs /sys',
    'cd /sys',
    'mkdir usr etc dev proc tmp old',
    // A mount's own flags are locked in here: a remount that left one out would be refused.
    'ro() { mount --bind "$1" "$2"; mount -o remount,bind,ro,nosuid,nodev "$2" || mount -o remount,bind,ro,nosuid,nodev,noexec "$2"; }',
    'rw() { mount --bind "$1" "$2"; mount -o remount,bind,nosuid,nodev "$2" || mount -o remount,bind,nosuid,nodev,noexec "$2"; }',
    'ro /usr usr',
    ...systemFolders.flatMap(systemFolder),
    ...systemFiles.flatMap((path) => place(path, 'ro')),
    'for device in null zero full random urandom; do : > dev/$device; mount --bind /dev/$device dev/$device; done',
    'mount -t proc proc proc',
    `mount -t tmpfs -o size=${tmpfsBytes},mode=1777,nosuid,nodev tmpfs tmp`,
    ...files.flatMap(({ path, write }) => place(path, write ? 'rw' : 'ro', true)),
    'pivot_root . old',
    'cd /tmp',
    'umount -l /old',
    'rmdir /old',
    'mount -o remount,bind,ro /',
    'echo 0 > /proc/sys/user/max_user_namespaces',
    `exec env -i ${variables.join(' ')} setpriv --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"`,
  ].join('\n')
}

function systemFolder(path: string): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return []
  return found.isSymbolicLink() ? [`ln -s ${quoted(readlinkSync(path))} ${quoted(`.${path}`)}`] : place(path, 'ro')
}

/** A mount needs something to be mounted on. What has to be there and is not fails when it is bound. */
function place(path: string, how: 'ro' | 'rw', needed = false): string[] {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined && !needed) return []
  const target = quoted(`.${path}`)
  const parent = quoted(`.${path.slice(0, path.lastIndexOf('/'))}`)
  const make = found?.isDirectory() ? `mkdir -p ${target}` : `mkdir -p ${parent} && : > ${target}`
  return [make, `${how} ${quoted(path)} ${target}`]
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
