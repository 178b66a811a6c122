import type { FileTree, TreeEntry } from '../../../schemas/load/file-tree.ts'

/** A tree of texts and bytes in memory. */
export function memoryTree(files: { readonly [path: string]: string | Buffer }): FileTree {
  const contents = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content as string)]))
  return {
    list: async () =>
      [...contents].map(
        ([path, bytes]): TreeEntry => ({ path, kind: 'file', size: bytes.length, token: null, target: null }),
      ),
    read: async (path) => {
      const bytes = contents.get(path)
      if (!bytes) throw new Error(`no file ${path}`)
      return bytes
    },
  }
}
