import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Shop } from '../../examples/order-risk/shop.ts'

/** Of a shop that lives as long as the terminal does. What is worth a secret is never in a file. */
export const shopKeys = {
  apiKey: 'shop-key-that-may-write',
  readOnlyKey: 'shop-key-that-only-reads',
  webhookSecret: 'what-the-shop-signs-with',
} as const

/** What a person would type and click before there is anything to see. */
export const showOrders = { prepare, sell }

/** Sets acme's secrets where they are missing, and answers a key that may read what happens. */
async function prepare(directory: string, signal: AbortSignal): Promise<string> {
  const run = (line: string, stdin = '') => fibric(line.split(' '), directory, stdin, signal)
  const { data } = JSON.parse(await run('secrets list --tenant acme --json')) as {
    data: readonly { name: string; field: string }[]
  }
  const known = new Set(data.map(({ name, field }) => `${name}.${field}`))
  const wanted = {
    'shop-main.value': shopKeys.apiKey,
    'shop-main.webhook': shopKeys.webhookSecret,
    'shop-readonly.value': shopKeys.readOnlyKey,
  }
  for (const [name, value] of Object.entries(wanted)) {
    if (!known.has(name)) await run(`secrets set ${name} --tenant acme`, value)
  }
  const made = await run('keys create --tenant acme --role read_only --name npm-start --expires-in 1d --json')
  return (JSON.parse(made) as { secret: string }).secret
}

/** Three orders: one is harmless, one is risky; two are cancelled, one of them a large one. */
async function sell(shop: Shop): Promise<void> {
  // The shop forgets its orders when it ends and Fibric does not: a number is used once.
  const number = Math.floor(Date.now() / 1000).toString(36)
  const [small, risky, large] = [`${number}-1`, `${number}-2`, `${number}-3`]
  await shop.place({ order_id: small, total: 80, risk_score: 12 })
  await sleep(1500)
  await shop.place({ order_id: risky, total: 640, risk_score: 93 })
  await sleep(1500)
  await shop.place({ order_id: large, total: 900, risk_score: 20 })
  await sleep(1500)
  await shop.cancel(small)
  await sleep(1500)
  await shop.cancel(large)
}

async function fibric(argv: readonly string[], cwd: string, stdin: string, signal: AbortSignal): Promise<string> {
  const program = join(import.meta.dirname, '../../cli/start.mjs')
  const child = spawn(process.execPath, [program, ...argv], { cwd, signal, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(stdin)
  const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  if (code !== 0) throw new Error(`fibric ${argv.slice(0, 2).join(' ')}: ${stderr || stdout}`)
  return stdout
}
