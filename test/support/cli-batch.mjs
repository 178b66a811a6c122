// Runs many command lines in one process, as `bin/fibric` runs one: starting Node for each would take minutes. Reads a
// JSON list of argument lists from stdin, writes a JSON list of what each printed.
import { text } from 'node:stream/consumers'
import { main } from '../../cli/main.ts'

const { write: writeOut } = process.stdout
const outcomes = []
for (const argv of JSON.parse(await text(process.stdin))) {
  const outcome = { stdout: '', stderr: '', exit: 0 }
  process.stdout.write = capture(outcome, 'stdout')
  process.stderr.write = capture(outcome, 'stderr')
  outcome.exit = await main(argv)
  process.removeAllListeners('SIGINT')
  outcomes.push(outcome)
}
process.stdout.write = writeOut
process.stdout.write(JSON.stringify(outcomes))

function capture(outcome, stream) {
  return (chunk, ...rest) => {
    outcome[stream] += chunk
    rest.find((argument) => typeof argument === 'function')?.()
    return true
  }
}
