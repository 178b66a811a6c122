// node scripts/ci-summary.mjs REPORTS [FAILED-STAGE…]: adds up vitest's JSON reports; exit 1 unless all is well.
// A skipped test is a failure, unless its title gives the reason in the form `(needs …)`.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [directory, ...failedStages] = process.argv.slice(2)
const reports = readdirSync(directory).map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')))
const files = reports.flatMap((report) => report.testResults)
const tests = files.flatMap((file) => file.assertionResults)
const having = (...states) => tests.filter(({ status }) => states.includes(status))

const unexplained = having('pending', 'skipped', 'disabled', 'todo').filter(
  ({ fullName }) => !/\(needs .+\)/.test(fullName),
)
// A file that could not be loaded reports no test at all.
const broken = files.filter(
  (file) => file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'),
)

for (const { fullName } of unexplained) console.error(`skipped without a reason: ${fullName}`)
for (const { name } of broken) console.error(`did not run: ${name}`)
for (const stage of failedStages) console.error(`failed stage: ${stage}`)

const passed = having('passed').length
const inTests = having('failed').length + unexplained.length + broken.length
// Lint, types or a crash of the runner: nothing that a test counted, and still a failure.
const failed = inTests === 0 && failedStages.length > 0 ? failedStages.length : inTests
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
