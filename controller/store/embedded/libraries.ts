import { lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { basename, delimiter, dirname, join, relative } from 'node:path'

/**
 * npm packages cannot carry symbolic links, so the package makes its libraries' links in an install script. Where that
 * did not run (`--ignore-scripts`), they are made here; where the package is not ours to write, in a folder of ours
 * that the loader is pointed to. Answers the environment the programs then need.
 */
export function completeLibraries(packageRoot: string, scratchDirectory: string): Readonly<Record<string, string>> {
  const missing = readLinks(packageRoot).filter(({ link }) => !exists(link))
  if (missing.length === 0) return {}
  try {
    for (const { file, link } of missing) makeLink(relative(dirname(link), file), link)
    return {}
  } catch {
    return linksElsewhere(missing, join(scratchDirectory, 'postgres-lib'), join(packageRoot, 'native', 'lib'))
  }
}

interface LibraryLink {
  readonly file: string
  readonly link: string
}

function readLinks(packageRoot: string): LibraryLink[] {
  const list = JSON.parse(readFileSync(join(packageRoot, 'native', 'pg-symlinks.json'), 'utf8'))
  return (list as { source: string; target: string }[]).map(({ source, target }) => ({
    file: join(packageRoot, source),
    link: join(packageRoot, target),
  }))
}

function linksElsewhere(
  missing: readonly LibraryLink[],
  directory: string,
  libraries: string,
): Readonly<Record<string, string>> {
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  for (const { file, link } of missing) makeLink(file, join(directory, basename(link)))
  // A library reached through a link looks for its own needs beside the link, so the real folder is searched as well.
  const searched = [directory, libraries].join(delimiter)
  return process.platform === 'darwin' ? { DYLD_LIBRARY_PATH: searched } : { LD_LIBRARY_PATH: searched }
}

function makeLink(target: string, path: string): void {
  try {
    symlinkSync(target, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // another process was faster
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
