export { directoryTree } from './directory-tree.ts'
export { type FileTree, fileBytesMax, type TreeEntry } from './file-tree.ts'
export { type LoadedDomain, type LoadedRepository, type LoadOptions, loadRepository } from './load.ts'
export { memoryParseCache, openParseCache, type ParseCache } from './parse-cache.ts'
