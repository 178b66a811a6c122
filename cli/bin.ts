import { enableCompileCache } from 'node:module'
import { engineVersion } from '../controller/domain/engine.ts'

// The version is asked by scripts, often: it must not load the rest.
const [first] = process.argv.slice(2)
if (first === '--version' || first === 'version') {
  const version = engineVersion.slice(engineVersion.indexOf('/') + 1)
  const json = process.argv.includes('--json')
  process.stdout.write(json ? `${JSON.stringify({ object: 'version', version })}\n` : `${version}\n`)
} else {
  enableCompileCache()
  const { main } = await import('./main.ts')
  process.exitCode = await main(process.argv.slice(2))
}
