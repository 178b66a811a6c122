// `npm start`: `fibric up`, and beside it the shop of examples/order-risk, which acme's connection `shop` speaks to. The shop
// sells a few orders, so that there is something to see; what comes of them is told as it happens. Takes what `up` takes.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startShop } from '../examples/order-risk/shop.ts'
import { narrate } from './start/narrate.ts'
import { shopKeys, showOrders } from './start/show.ts'

const root = join(import.meta.dirname, '..')
const shopPort = Number(process.env.SHOP_PORT ?? 4381)
const [first = '.'] = process.argv.slice(2)
const directory = first.startsWith('-') ? '.' : first

const up = spawn(process.execPath, [join(root, 'cli/start.mjs'), 'up', ...process.argv.slice(2)], {
  stdio: ['inherit', 'pipe', 'inherit'],
})
const ended = once(up, 'close') as Promise<[number | null]>
const stopping = new AbortController()
// From a terminal `up` gets these as well; from elsewhere only we do. Twice is once.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping.abort()
    up.kill(signal)
  })
}
// However it ends, the shop and what is being told end with it.
ended.then(() => stopping.abort())

try {
  const url = await apiOf(up)
  if (url !== null && !stopping.signal.aborted) await show(url)
} catch (error) {
  // What is shown beside `up` must not take it down.
  if (!stopping.signal.aborted) process.stderr.write(`the shop does not run: ${(error as Error).message}\n`)
}
const [code] = await ended
process.exitCode = code ?? 1

async function show(url: string): Promise<void> {
  const shop = await startShop({ port: shopPort, ...shopKeys, hooks: () => `${url}/v1/t/acme/ingest/shop` })
  stopping.signal.addEventListener('abort', () => void shop.close())
  process.stdout.write("\nSetting what acme's shop has to prove itself with …\n")
  const token = await showOrders.prepare(join(process.cwd(), directory), stopping.signal)
  process.stdout.write(`A shop answers at ${shop.url}, and sells a few orders. What comes of them:\n\n`)
  const told = narrate(url, token, stopping.signal)
  await showOrders.sell(shop)
  await told
}

/** The address of the API once `up` has said it; null when it ended before. Whatever it prints is passed on. */
function apiOf({ stdout }: ChildProcess): Promise<string | null> {
  let printed = ''
  return new Promise((resolve) => {
    stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      process.stdout.write(chunk)
      printed += chunk
      const [, url] = /The API answers at (\S+)\/v1/.exec(printed) ?? []
      if (url !== undefined) resolve(url)
    })
    stdout!.on('close', () => resolve(null))
  })
}
