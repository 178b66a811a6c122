import type { Address, Digest, Slug } from './ids.ts'
import type { JsonObject } from './json.ts'

/**
 * What of a document is hashed, stored and run: after defaults, without `previously` and `tenant`, every `file:`
 * reference replaced by the digest of the file's bytes (`{file: 'sha256:…'}`).
 */
export interface ResourceContent {
  readonly kind: string
  readonly metadata: ResourceMetadata
  readonly spec: JsonObject
}

export interface ResourceMetadata {
  readonly name: string
  readonly labels?: { readonly [key: string]: string }
  readonly annotations?: { readonly [key: string]: string }
}

/** Where a resource was written: 1-based line and column of its document, and the files it refers to. */
export interface ResourceSource {
  /** Path below the repository's root, with forward slashes. */
  readonly path: string
  readonly line: number
  readonly column: number
  /** Path below the repository's root → digest of the bytes. */
  readonly files: { readonly [path: string]: Digest }
}

/** One resource as the repository wants it, without its content: what a plan compares. */
export interface DesiredResource {
  readonly address: Address
  readonly slug: Slug
  readonly kind: string
  readonly name: string
  readonly digest: Digest
  /** Address this resource had before (`metadata.previously`), if it says so. */
  readonly previously: Address | null
  readonly labels: { readonly [key: string]: string }
  /** Addresses this resource refers to, each resolved (own domain first, then `_platform`); sorted, without repeats. */
  readonly references: readonly Address[]
  readonly source: ResourceSource
  /** The address of the document a sandbox inherits this resource from; null when it is written for this domain. */
  readonly inheritedFrom: Address | null
}

/** Whether a content forbids the deletion of its object. */
export function saysProtected(content: ResourceContent | null): boolean {
  return content?.spec.deletionProtection === true
}
