import { expect, test } from 'vitest'
import {
  type ActionEvent,
  type ActionState,
  claimsKey,
  inDoubt,
  isRefusal,
  isTerminal,
  nextState,
  transitions,
} from '../../controller/domain/action-machine.ts'

/** As governed-execution.md section 5 draws it: every step that exists. Whatever is not here does not exist. */
const steps: { readonly [S in ActionState]: string } = {
  planned:
    'reject:rejected skip:skipped block:blocked deduplicate:deduplicated hold:held intend:intent supersede:superseded cancel:cancelled',
  held: 'reject:rejected skip:skipped block:blocked deduplicate:deduplicated hold:held intend:intent veto:vetoed expire:expired supersede:superseded cancel:cancelled',
  intent: 'succeed:applied fail:failed postpone:waiting doubt:unknown',
  waiting: 'intend:intent block:blocked hold:held fail:failed cancel:cancelled',
  unknown: 'reconcile:reconciling',
  reconciling: 'succeed:applied fail:failed doubt:unknown escalate:manual',
  manual: 'succeed:applied fail:failed',
  rejected: '',
  skipped: '',
  blocked: '',
  deduplicated: '',
  vetoed: '',
  expired: '',
  superseded: '',
  cancelled: '',
  applied: '',
  failed: '',
}
const states = Object.keys(steps) as ActionState[]
const events = [...new Set(states.flatMap((state) => Object.keys(transitions[state])))] as ActionEvent[]
const stepsOf = (state: ActionState): [string, string][] =>
  steps[state]
    .split(' ')
    .filter((step) => step !== '')
    .map((step) => step.split(':') as [string, string])

test.each(states.flatMap((state) => events.map((event) => [state, event] as const)))('%s, then %s', (state, event) => {
  const expected = stepsOf(state).find(([name]) => name === event)?.[1] ?? null
  expect(nextState(state, event)).toBe(expected)
})

test('every event that the drawing names is known', () => {
  const drawn = new Set(states.flatMap((state) => stepsOf(state).map(([event]) => event)))
  expect(drawn).toEqual(new Set(events))
})

const terminal = [
  'applied',
  'blocked',
  'cancelled',
  'deduplicated',
  'expired',
  'failed',
  'rejected',
  'skipped',
  'superseded',
  'vetoed',
]

test('exactly the terminal states have no way out', () => {
  expect(states.filter(isTerminal).sort()).toEqual(terminal)
  for (const state of states.filter(isTerminal)) for (const event of events) expect(nextState(state, event)).toBeNull()
})

test('from every state a terminal one can be reached: nothing is stuck', () => {
  for (const state of states) expect([...reachable(state, states)].some(isTerminal)).toBe(true)
})

test('there is no way from planned, held or waiting to applied that does not pass through intent', () => {
  const withoutIntent = states.filter((state) => state !== 'intent')
  for (const state of ['planned', 'held', 'waiting'] as const)
    expect(reachable(state, withoutIntent).has('applied')).toBe(false)
})

test('what was in doubt never returns to where it would be sent again', () => {
  for (const state of states.filter(inDoubt)) {
    const later = reachable(state, states)
    for (const earlier of ['planned', 'held', 'intent', 'waiting'] as const) expect(later.has(earlier)).toBe(false)
  }
})

test('a key is claimed from the hold on until the action ends without effect', () => {
  expect(states.filter(claimsKey).sort()).toEqual([
    'applied',
    'held',
    'intent',
    'manual',
    'reconciling',
    'unknown',
    'waiting',
  ])
})

test('refusals are the ends that somebody or some rule chose', () => {
  expect(states.filter(isRefusal).sort()).toEqual(['blocked', 'expired', 'vetoed'])
})

function reachable(from: ActionState, allowed: readonly ActionState[]): Set<ActionState> {
  const seen = new Set<ActionState>([from])
  const pending = [from]
  for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
    for (const next of Object.values(transitions[state]) as ActionState[]) {
      if (seen.has(next) || !allowed.includes(next)) continue
      seen.add(next)
      pending.push(next)
    }
  }
  return seen
}
