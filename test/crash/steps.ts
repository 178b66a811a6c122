import type { Config } from '../../controller/config.ts'

/** What a process does with one engine. */
export type Step =
  | { readonly do: 'apply'; readonly directory: string }
  /** One pass of the loop that `up` runs. */
  | { readonly do: 'pass'; readonly directory: string }
  | { readonly do: 'save'; readonly directory: string; readonly file: string }
  | { readonly do: 'apply file'; readonly file: string }
  | { readonly do: 'answer'; readonly entity: string; readonly decision: 'approve' | 'veto' }
  | { readonly do: 'heal'; readonly directory: string }
  | { readonly do: 'keys'; readonly users: readonly string[] }

/** Where the process stops: it kills itself, or says so and waits for what befalls its database. */
export interface Stop {
  readonly at: string
  readonly how: 'die' | 'wait'
}

/** The whole of a child's orders, as its one argument. */
export interface Orders {
  readonly config: Config
  readonly steps: readonly Step[]
  readonly stop: Stop | null
}

/** What a child that came to its end has to say, on one line. */
export interface Report {
  readonly points: readonly string[]
  /** Of the last `apply`, by outcome. */
  readonly outcomes: { readonly [outcome: string]: number }
  /** How many changes a plan made at the end still has to propose. */
  readonly proposed: number
  readonly secrets: { readonly [user: string]: string }
  readonly error: { readonly code: string; readonly message: string } | null
}
