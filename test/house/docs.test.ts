import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryFiles, root, textOf } from './sources.ts'

const files = repositoryFiles()
const pages = files.filter((path) => path.endsWith('.md') && !path.startsWith('test/'))
const commands = files.flatMap((path) => /^cli\/commands\/(.+)\.ts$/.exec(path)?.[1]?.replaceAll('/', ' ') ?? [])

describe('the documentation', () => {
  test('links to pages that exist', () => {
    const broken = pages.flatMap((path) =>
      [...textOf(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
        .map(([, target]) => posix.normalize(posix.join(posix.dirname(path), target!)))
        .filter((target) => !existsSync(`${root}/${target}`))
        .map((target) => `${path} → ${target}`),
    )
    expect(broken).toEqual([])
  })

  test('names files that exist', () => {
    const written = pages.filter((path) => !path.startsWith('docs/reference/'))
    const missing = written.flatMap((path) =>
      [...textOf(path).matchAll(/`((?:cli|controller|schemas|tenants|test|scripts)\/[\w./-]+\.\w+)`/g)]
        .map(([, named]) => named!)
        .filter((named) => !existsSync(`${root}/${named}`))
        .map((named) => `${path}: ${named}`),
    )
    expect(missing).toEqual([])
  })

  test('shows commands that exist', () => {
    const topics = new Set(commands.filter((name) => name.includes(' ')).map((name) => name.split(' ')[0]!))
    const unknown = pages.flatMap((path) =>
      // In prose the name is a word like any other; what is typed follows a backtick, a path or the beginning of a line.
      [...textOf(path).matchAll(/(?:^|[`/]|FIBRIC_TOKEN=… )fibric ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)/gm)]
        .map(([, words]) => words!)
        .filter((words) => {
          const [first = '', second = ''] = words.split(' ')
          if (!topics.has(first)) return !commands.includes(first)
          // A topic may have topics of its own: `events dead list`.
          return !commands.some((name) => `${name} `.startsWith(`${first} ${second} `))
        })
        .map((words) => `${path}: fibric ${words}`),
    )
    expect(unknown).toEqual([])
  })

  test('has a decision for every number, each with its four parts', () => {
    const decisions = files.filter((path) => path.startsWith('docs/adr/'))
    expect(decisions.map((path) => Number(/(\d{4})-/.exec(path)?.[1]))).toEqual(decisions.map((_, index) => index + 1))
    for (const path of decisions) {
      const headings = [...textOf(path).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
      expect(headings, path).toEqual(['Status', 'Context', 'Decision', 'Consequences'])
    }
  })
})
