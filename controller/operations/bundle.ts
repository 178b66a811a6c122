import { fileBytesMax } from '../../schemas/load/file-tree.ts'
import { FibricError } from '../domain/errors.ts'
import { openTree } from '../reconciler/desired.ts'

/** Files by path below the repository: text, or bytes in base64 where they are no text. */
export type Bundle = { readonly [path: string]: string | { readonly base64: string } }

/** What a server is sent to plan: the repository as a plan would read it here, or what lies below one folder of it. */
export async function readBundle(directory: string, ref: string | null, below: string): Promise<Bundle> {
  const tree = await openTree(directory, ref)
  const bundle: { [path: string]: string | { base64: string } } = {}
  for (const { path, kind } of await tree.list()) {
    if (!path.startsWith(below)) continue
    if (kind === 'symlink') {
      throw new FibricError('USAGE', `\`${path}\` is a symbolic link, and a server is sent files alone`, {
        hint: 'put the file itself there',
      })
    }
    const bytes = await tree.read(path)
    if (bytes.length > fileBytesMax) {
      throw new FibricError('USAGE', `\`${path}\` is ${bytes.length} bytes, over ${fileBytesMax}`)
    }
    bundle[path] = textOf(bytes) ?? { base64: bytes.toString('base64') }
  }
  return bundle
}

function textOf(bytes: Buffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.includes('\0') ? null : text
  } catch {
    return null // no UTF-8: it goes as bytes
  }
}
