import { expect, test } from 'vitest'
import { endedExit } from '../../../cli/ended-exit.ts'

test.each([
  { states: ['applied', 'deduplicated'], exit: 0 },
  { states: ['applied', 'held'], exit: 4 },
  { states: ['blocked', 'held'], exit: 3 },
  { states: ['failed'], exit: 1 },
  { states: ['unknown'], exit: 1 },
  { states: ['manual', 'blocked'], exit: 1 },
  { states: ['applied', 'failed', 'held'], exit: 7 },
])('a command whose actions ended $states exits $exit', ({ states, exit }) => {
  expect(endedExit(states)).toBe(exit)
})
