import type { Probe, ShownServer } from '../../controller/operations/connections.ts'
import type { ConnectionShown, DrillShown } from '../../controller/operations/effect-objects.ts'
import { renderTable } from './table.ts'

export function renderConnections(connections: readonly ConnectionShown[]): string {
  if (connections.length === 0) return 'There are no connections.'
  const rows = connections.map((connection) => [
    connection.tenant,
    connection.name,
    connection.connector,
    connection.transport,
    connection.base_url ?? '-',
    connection.ready ? 'ready' : `not ready: ${connection.message}`,
  ])
  return renderTable(['TENANT', 'NAME', 'CONNECTOR', 'TRANSPORT', 'GOES TO', 'READY'], rows)
}

export function renderProbe(connection: ConnectionShown, probe: Probe): string {
  switch (probe.kind) {
    case 'alive':
      return `${connection.address} is alive: ${probe.status === null ? 'its tools are those that are pinned' : `HTTP ${probe.status}`} in ${probe.tookMs} ms`
    case 'failed':
      return [`${connection.address} failed: ${probe.reason}`, ...renderServer(probe.server)].join('\n')
    case 'unprobed':
      return `${connection.address} was not probed: ${probe.reason}`
  }
}

function renderServer(server: ShownServer | undefined): string[] {
  if (server === undefined) return []
  const rows = server.tools.map(({ name, description }) => [name, (description ?? '-').split('\n')[0]!.slice(0, 60)])
  return ['', renderTable(['TOOL', 'SAYS OF ITSELF'], rows).trimEnd(), '', `toolsDigest: "${server.toolsDigest}"`]
}

export function renderDrill({ connection, tool, effect, outcome, checks, verdict }: DrillShown): string {
  if (outcome === 'refused') {
    return [
      `${tool} is not drilled: the gate says ${verdict.decision}`,
      ...verdict.reasons.map((why) => `  ${why}`),
    ].join('\n')
  }
  const rows = checks.map(({ name, passed, detail }) => [passed ? 'holds' : 'fails', name, detail])
  const word = outcome === 'passed' ? 'holds' : 'does not hold'
  return `${renderTable(['', 'TRIED', 'FOUND'], rows)}\n\n${tool} of ${connection}: \`effect: ${effect}\` ${word}`
}
