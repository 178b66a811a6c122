import { describe, expect, test } from 'vitest'
import { dueTicks, lastTick, nextTick, ticksBetween } from '../../controller/domain/tick-times.ts'

const at = (text: string): Date => new Date(`${text}Z`)
const hourly = { every: '1h', cron: null, timeZone: null }
const cron = (expression: string, timeZone: string | null = null) => ({ every: null, cron: expression, timeZone })

describe('ticks', () => {
  test('of an interval are its multiples, wherever one begins', () => {
    expect(ticksBetween(hourly, at('2026-01-01T00:30:00'), at('2026-01-01T03:00:00'), 10)).toEqual([
      at('2026-01-01T01:00:00'),
      at('2026-01-01T02:00:00'),
      at('2026-01-01T03:00:00'),
    ])
  })

  test('of a cron expression are read in its time zone, over the change of the clock', () => {
    const berlin = cron('30 8 * * *', 'Europe/Berlin')
    expect(nextTick(berlin, at('2026-03-28T00:00:00'))).toEqual(at('2026-03-28T07:30:00'))
    expect(nextTick(berlin, at('2026-03-29T00:00:00'))).toEqual(at('2026-03-29T06:30:00'))
  })

  test('the last one is found however long nobody looked', () => {
    expect(lastTick(cron('* * * * *'), at('2020-01-01T00:00:00'), at('2026-01-01T00:00:30'))).toEqual(
      at('2026-01-01T00:00:00'),
    )
    expect(lastTick(cron('0 0 29 2 *'), at('2020-03-01T00:00:00'), at('2026-01-01T00:00:00'))).toEqual(
      at('2024-02-29T00:00:00'),
    )
    expect(lastTick(cron('0 0 29 2 *'), at('2025-01-01T00:00:00'), at('2026-01-01T00:00:00'))).toBeNull()
  })
})

describe('ticks that were missed', () => {
  const since = at('2026-01-01T00:00:00')
  test.each([
    { missed: 'skip', now: '2026-01-01T03:30:00', ticks: [], upTo: '2026-01-01T03:00:00' },
    { missed: 'skip', now: '2026-01-01T03:00:20', ticks: ['03'], upTo: '2026-01-01T03:00:00' },
    { missed: 'once', now: '2026-01-01T03:30:00', ticks: ['03'], upTo: '2026-01-01T03:00:00' },
    { missed: 'all', now: '2026-01-01T03:30:00', ticks: ['01', '02', '03'], upTo: '2026-01-01T03:00:00' },
  ] as const)('$missed at $now makes up for $ticks', ({ missed, now, ticks, upTo }) => {
    expect(dueTicks(hourly, since, at(now), missed)).toEqual({
      ticks: ticks.map((hour) => at(`2026-01-01T${hour}:00:00`)),
      upTo: at(upTo),
    })
  })

  test('are none before the next one', () => {
    expect(dueTicks(hourly, since, at('2026-01-01T00:59:59'), 'all')).toBeNull()
  })

  test('all of them come in portions', () => {
    const due = dueTicks({ ...hourly, every: '1s' }, since, at('2026-01-02T00:00:00'), 'all')!
    expect(due.ticks).toHaveLength(1000)
    expect(due.upTo).toEqual(due.ticks.at(-1))
  })
})
