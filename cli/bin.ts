import { enableCompileCache } from 'node:module'
import { engineVersion } from '../controller/domain/engine.ts'

// The version is asked by scripts, often: it must not load the rest.
const argv = process.argv.slice(2)
const [first, second] = argv
const isVersion = first === '--version' || first === 'version'
if (isVersion && (argv.length === 1 || (argv.length === 2 && second === '--json'))) {
  const version = engineVersion.slice(engineVersion.indexOf('/') + 1)
  process.stdout.write(
    second === undefined ? `${version}\n` : `${JSON.stringify({ object: 'version', version }, null, 2)}\n`,
  )
} else {
  enableCompileCache()
  const { main } = await import('./main.ts')
  process.exitCode = await main(argv)
}
