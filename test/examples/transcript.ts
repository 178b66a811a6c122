import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stable } from '../cli/engine/world.ts'
import { root } from '../support/cli.ts'

/** Where the transcript of an example is kept. */
export function goldenOf(name: string): string {
  return join(root, `test/golden/examples/${name}.txt`)
}

/**
 * What a README shows that did not happen: each command in its `console` blocks has to stand in the transcript, with exactly
 * the output that stands below it.
 */
export function untrueIn(name: string, transcript: string): string[] {
  const readme = readFileSync(join(root, `examples/${name}/README.md`), 'utf8')
  const blocks = [...readme.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  return blocks
    .flatMap((block) => block.split(/^(?=\$ )/m))
    .map((chunk) => chunk.trim())
    .filter((chunk) => /^\$ .*fibric /.test(chunk) && !`${transcript}\n\n`.includes(`${chunk}\n\n`))
}

/** A command as a person types it. */
export function typed(line: string, stdin: string | undefined, token: string | undefined): string {
  const input = stdin === undefined ? '' : `printf %s ${quoted(stdin)} | `
  return `$ ${input}${token === undefined ? '' : 'FIBRIC_TOKEN=… '}fibric ${line.split(' ').map(quoted).join(' ')}`
}

/** Output without what differs between two runs: `act_1` is the first action that is named, `<time>` any moment. */
export function shown(text: string, replace: { readonly [written: string]: string }): string {
  const back = Object.entries(replace).reduce((result, [written, real]) => result.replaceAll(real, written), text)
  const counts = new Map<string, number>()
  const names = new Map<string, string>()
  const numbered = back.replace(
    /\b(ev|rc|act|pl|mc|co|run|key|obj?|t|dl|rpl)_[0-9a-z]{32}\b/g,
    (found, noun: string) => {
      if (!names.has(found)) {
        counts.set(noun, (counts.get(noun) ?? 0) + 1)
        names.set(found, `${noun}_${counts.get(noun)}`)
      }
      return names.get(found)!
    },
  )
  const plain = stable(numbered)
    .replaceAll('local:<login>', 'local:you')
    .replace(/\bleaf [0-9a-f]{64}/g, 'leaf …')
    .replace(/sk_live_\w+/g, 'sk_live_…')
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/ in \d+ ms$/gm, ' in 9 ms')
  return plain.replace(/^[A-Z]+(?: {2}[A-Z]+)+$(?:\n.+)*/gm, aligned)
}

/** A table whose columns lost their width with the ids in them. */
function aligned(table: string): string {
  const rows = table.split('\n').map((row) => row.split(/ {2,}/))
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function quoted(text: string): string {
  return /^[\w.,:=@%/+-]+$/.test(text) ? text : `'${text}'`
}
