import { createInterface } from 'node:readline/promises'

/** Shows what is about to happen and asks on the terminal; only `yes` is yes. */
export async function confirm(shown: string): Promise<boolean> {
  process.stderr.write(`${shown}\n`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await terminal.question('Apply these changes? Only `yes` will be accepted: ')).trim() === 'yes'
  } finally {
    terminal.close()
  }
}
