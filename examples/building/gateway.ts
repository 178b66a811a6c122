// What the gateway in the basement does: publishes a batch of measurements, and is never called itself.
// FIBRIC_TOKEN=… node gateway.ts 3-01=27 3-02=21.5
const { FIBRIC_URL = 'http://localhost:4310', FIBRIC_TOKEN = '' } = process.env
const events = process.argv.slice(2).map((reading) => {
  const [zone, celsius] = reading.split('=')
  return { event_type: 'zone.measured', payload: { zone, celsius: Number(celsius) } }
})
const answer = await fetch(`${FIBRIC_URL}/v1/gateways/bacnet-gw-7/events`, {
  method: 'POST',
  headers: { authorization: `Bearer ${FIBRIC_TOKEN}`, 'content-type': 'application/json' },
  body: JSON.stringify({ events }),
})
process.stdout.write(`${answer.status} ${await answer.text()}\n`)

export {}
