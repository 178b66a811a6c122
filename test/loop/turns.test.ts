import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Turns } from '../../controller/loop/turns.ts'

test('one that is alone has nobody beside it, and those that come later wait for it', async () => {
  const turns = new Turns()
  const said: string[] = []
  const work = (name: string) => async () => {
    said.push(`${name} begins`)
    await sleep(10)
    said.push(`${name} ends`)
  }
  const all = [
    turns.beside(work('a')),
    turns.beside(work('b')),
    turns.alone(work('one'), 60_000),
    turns.alone(work('two'), 60_000),
    turns.beside(work('c')),
  ]
  await Promise.all(all)
  expect(said.slice(0, 4).toSorted()).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  expect(said.slice(4)).toEqual(['one begins', 'one ends', 'two begins', 'two ends', 'c begins', 'c ends'])
})

test('one that fails alone lets the others go on', async () => {
  const turns = new Turns()
  const failing = turns.alone(() => Promise.reject(new Error('no')), 60_000)
  await expect(failing).rejects.toThrow('no')
  expect(await turns.beside(async () => 'yes')).toBe('yes')
})

test('one that does not end keeps nobody waiting beyond its patience', async () => {
  const turns = new Turns()
  void turns.beside(() => new Promise(() => {}))
  void turns.alone(() => new Promise(() => {}), 20)
  expect(await turns.alone(async () => 'next', 20)).toBe('next')
  expect(await turns.beside(async () => 'beside')).toBe('beside')
})
