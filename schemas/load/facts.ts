import type { Json, JsonObject } from '../../controller/domain/json.ts'

/**
 * What loading needs to know about a file, whatever else is in the repository: a function of its bytes, its tenant's
 * slug and the schemas, so it is kept in the cache by exactly these.
 */
export interface FileFacts {
  readonly problems: readonly LocalProblem[]
  readonly documents: readonly DocumentFacts[]
  /** The file does not parse and its text says nothing about being ours: an error only if state remembers its path. */
  readonly foreign: boolean
}

/** Line, column, last line, last column; 1-based, the end exclusive. */
export type FactPlace = readonly [line: number, column: number, endLine: number, endColumn: number]

export interface LocalProblem {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly hint: string | null
  readonly place: FactPlace
  readonly snippet: string
  readonly related: readonly { readonly message: string; readonly place: FactPlace }[]
}

/** A name or value together with where it was written. */
export interface Placed<Value = string> {
  readonly value: Value
  readonly place: FactPlace
}

export interface DocumentFacts {
  /** Index among the documents of the file. */
  readonly index: number
  readonly kind: string
  /** As in the address: with `@version` where the kind has versions. */
  readonly name: string
  /** A sandbox inherits resources of this kind. */
  readonly inherited: boolean
  readonly place: FactPlace
  readonly namePlace: FactPlace
  readonly labels: { readonly [key: string]: string }
  readonly previously: Placed | null
  readonly references: readonly ReferenceFact[]
  readonly files: readonly FileReferenceFact[]
  /**
   * Digest of the content when it refers to no file; else the content itself with `files` still unread. Null when the
   * document has an error: it stands for its address, so that what refers to it is not blamed, and is never applied.
   */
  readonly content: { readonly digest: string } | { readonly unread: JsonObject } | null
  /** Digest of the content as a sandbox inherits it, where that differs: a Schedule arrives paused. */
  readonly sandboxDigest: string | null
  readonly claims: Claims
  /** Expressions whose names get their types from other documents. */
  readonly expressions: readonly DeferredExpression[]
}

export interface ReferenceFact extends Placed {
  readonly kinds: readonly string[]
}

export interface FileReferenceFact extends Placed {
  /** Where in the content `{file: …}` stands. */
  readonly pointer: string
}

export interface DeferredExpression {
  readonly source: string
  readonly scope: 'operator.sense' | 'operator.rules'
  /** How many of the operator's `sense` entries come before it. */
  readonly sensed: number
  readonly result: 'boolean' | 'number' | 'any'
  readonly place: FactPlace
  /** The place is that of the source's first character, so that an offset into it can be shown. */
  readonly exact: boolean
}

/** Values that the schema in another document judges, with the places of their fields. */
export interface SettingsFact {
  readonly value: JsonObject
  readonly place: FactPlace
  readonly fields: { readonly [name: string]: FactPlace }
}

/** What a document says that concerns others, by kind. */
export type Claims =
  | { readonly of: 'nothing' }
  | {
      readonly of: 'tenant'
      readonly environment: string
      readonly sandboxOf: Placed | null
      readonly sandboxes: readonly string[]
      readonly hosts: readonly Placed[]
    }
  | { readonly of: 'user'; readonly identities: readonly Placed[] }
  | {
      readonly of: 'deployment'
      readonly mcpCommands: readonly string[]
      readonly hostDomains: readonly string[]
      readonly domains: readonly Placed[]
    }
  | {
      readonly of: 'connector'
      /** Capability → JSON Schema of what it answers, or null. */
      readonly tools: { readonly [capability: string]: Json }
      /** Event type → JSON Schema of its payload, or null. */
      readonly events: { readonly [eventType: string]: Json }
      readonly configSchema: Json
      readonly mcpCommand: Placed | null
    }
  | {
      readonly of: 'connection'
      readonly connector: string
      readonly bindings: { readonly [capability: string]: boolean }
      readonly sandboxed: boolean
      readonly transport: FactPlace
      readonly settings: SettingsFact
      /** Capabilities that `bindings` names. */
      readonly bound: readonly Placed[]
    }
  | { readonly of: 'template'; readonly parametersSchema: Json }
  | { readonly of: 'template install'; readonly template: string; readonly settings: SettingsFact }
  | { readonly of: 'skill'; readonly capability: string }
  | {
      readonly of: 'operator'
      readonly on: readonly string[]
      readonly capabilities: readonly Placed[]
      readonly senses: readonly { readonly as: string; readonly capability: string }[]
    }
  | { readonly of: 'model'; readonly provider: string }
  | {
      readonly of: 'model policy'
      readonly models: readonly Placed[]
      readonly perTenant: readonly (readonly [string, Placed])[]
    }
