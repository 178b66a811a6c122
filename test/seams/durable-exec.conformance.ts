import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { type DurableExec, NotDone, type OncePlace } from '../../controller/seams/durable-exec.ts'

/** What a suite needs of an implementation: another one over the same record, as another process would have it. */
export interface DurableExecUnderTest {
  readonly tenants: readonly [TenantId, TenantId]
  open(): DurableExec
}

/** The promises of `DurableExec`, for every implementation. Each test has a key of its own. */
export function describeDurableExec(name: string, under: () => DurableExecUnderTest): void {
  const place = (tenant = 0): OncePlace => ({ tenantId: under().tenants[tenant]!, resellerId: null, key: randomUUID() })

  describe(`once on ${name}`, () => {
    test('runs what it is given, and gives its result to everyone who asks later', async () => {
      const at = place()
      let ran = 0
      const fn = async () => ({ nth: ++ran })
      expect(await under().open().once(at, fn)).toEqual({ kind: 'done', result: { nth: 1 }, replayed: false })
      expect(await under().open().once(at, fn)).toEqual({ kind: 'done', result: { nth: 1 }, replayed: true })
      expect(ran).toBe(1)
    })

    test('gives back a result that is null as one', async () => {
      const at = place()
      await under()
        .open()
        .once(at, async () => null)
      expect(
        await under()
          .open()
          .once(at, async () => 1),
      ).toEqual({ kind: 'done', result: null, replayed: true })
    })

    test('runs it once, however many ask at the same moment', async () => {
      const at = place()
      let ran = 0
      const asked = await Promise.all(
        Array.from({ length: 20 }, () =>
          under()
            .open()
            .once(at, async () => {
              ran++
              await new Promise((resolve) => setTimeout(resolve, 50))
              return 'it'
            }),
        ),
      )
      expect(ran).toBe(1)
      expect(asked.filter((result) => result.kind === 'done' && !result.replayed)).toHaveLength(1)
      expect(asked.every((result) => result.kind === 'in-doubt' || result.result === 'it')).toBe(true)
    })

    test('is in doubt for ever about what began and threw', async () => {
      const at = place()
      const broken = under()
        .open()
        .once(at, () => Promise.reject(new Error('half way')))
      await expect(broken).rejects.toThrow('half way')
      for (let again = 0; again < 2; again++) {
        const asked = await under()
          .open()
          .once(at, () => Promise.reject(new Error('it ran again')))
        expect(asked).toMatchObject({ kind: 'in-doubt', beganAt: expect.any(String) })
      }
    })

    test('is free again for what says that it did nothing', async () => {
      const at = place()
      const idle = under()
        .open()
        .once(at, () => Promise.reject(new NotDone('nobody was there')))
      await expect(idle).rejects.toThrow(NotDone)
      expect(
        await under()
          .open()
          .once(at, async () => 2),
      ).toMatchObject({ kind: 'done', result: 2, replayed: false })
    })

    test('keeps the same key of two domains apart', async () => {
      const [mine, theirs] = [place(0), { ...place(1) }]
      const key = mine.key
      await under()
        .open()
        .once(mine, async () => 'mine')
      expect(
        await under()
          .open()
          .once({ ...theirs, key }, async () => 'theirs'),
      ).toMatchObject({ result: 'theirs' })
    })
  })
}
