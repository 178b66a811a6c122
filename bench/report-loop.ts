/** The rows of `docs/performance.md` about the governed loop. */
export interface EffectsResult {
  readonly machine: Machine
  readonly floor: { readonly perSecond: number }
  readonly floorShared: { readonly perSecond: number }
  readonly proposalToReceipt: {
    readonly perSecond: number
    readonly ofFloor: number
  }
  readonly eventToReceipt: {
    readonly perSecond: number
    readonly walBytesEach: number
    readonly commitsEach: number
    readonly ofFloor: number
    readonly idleMs: Percentiles
    readonly halfLoadMs: Percentiles & { readonly offered: number }
  }
}

interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly load: number
  readonly node: string
}

interface Percentiles {
  readonly p50: number
  readonly p99: number
}

interface Taken {
  readonly acknowledgedMs: Percentiles
  readonly deliveredMs: Percentiles
  readonly lost: number
}

export interface EventsResult {
  readonly ingest: {
    readonly floor: { readonly commitsPerSecond: number; readonly committedMs: Percentiles }
    readonly oneTenant: Taken
    readonly fiftyTenants: Taken
  }
  readonly delivery: { readonly floorCommitMs: Percentiles; readonly besideForeignWriter: Taken }
  readonly fairness: {
    readonly load: { readonly floodEvents: number }
    readonly flood: { readonly refused: number }
    readonly smallTenant: { readonly deliveredMs: Percentiles }
  }
  readonly rest: { readonly tenants: number; readonly controllerMb: number; readonly controllerPercent: number }
}

export function effectRows(one: EffectsResult, fifty: EffectsResult): string[] {
  const { proposalToReceipt: proposed, eventToReceipt: looped } = one
  const fair = fifty.proposalToReceipt.perSecond / proposed.perSecond
  return [
    row('governed effects, event to receipt', `${looped.perSecond}/s`, '≥ 2,000/s', looped.perSecond >= 2000),
    row('the same, against the plain floor', `× ${looped.ofFloor}`, '≥ × 0.6', looped.ofFloor >= 0.6),
    row('governed effects, proposal to receipt, 64 in flight', `${proposed.perSecond}/s`, 'none', null),
    row('event to receipt, idle, p50', `${looped.idleMs.p50} ms`, '< 8 ms', looped.idleMs.p50 < 8),
    row(
      `event to receipt at half load (${looped.halfLoadMs.offered}/s), p99`,
      `${looped.halfLoadMs.p99} ms`,
      '< 250 ms',
      looped.halfLoadMs.p99 < 250,
    ),
    row('commits an effect, shared', `${looped.commitsEach}`, '≤ 4 unshared', looped.commitsEach <= 4),
    row(
      'WAL, event to receipt',
      `${(looped.walBytesEach / 1000).toFixed(1)} kB`,
      '≤ 4 kB',
      looped.walBytesEach <= 4000,
    ),
    row('governed effects, 50 tenants against one', `× ${fair.toFixed(2)}`, '≥ × 0.8', fair >= 0.8),
  ]
}

export function eventRows({ ingest, delivery, fairness, rest }: EventsResult): string[] {
  const acknowledged = (taken: Taken): [string, string, boolean] => {
    const { p50, p99 } = taken.acknowledgedMs
    return [`${p50} / ${p99} ms`, 'p99 < 25 ms', p99 < 25]
  }
  const beside = delivery.besideForeignWriter.deliveredMs
  const small = fairness.smallTenant.deliveredMs
  return [
    row('ingest acknowledged at 1,000 events/s, one tenant, p50 / p99', ...acknowledged(ingest.oneTenant)),
    row('the same, 50 tenants', ...acknowledged(ingest.fiftyTenants)),
    row(
      'a bare commit beside it, p50 / p99',
      `${ingest.floor.committedMs.p50} / ${ingest.floor.committedMs.p99} ms`,
      'floor',
      null,
    ),
    row(
      'delivery beside a 5 s foreign writing transaction, p50 / p99',
      `${beside.p50} / ${beside.p99} ms`,
      'p99 < 50 ms',
      beside.p99 < 50,
    ),
    row(
      `a small tenant beside a flood of ${fairness.load.floodEvents} (${fairness.flood.refused} answered 429), p99`,
      `${Math.round(small.p99)} ms`,
      '< 2 s',
      small.p99 < 2000,
    ),
    row(
      `a controller at rest, ${rest.tenants} tenants`,
      `${rest.controllerMb} MB`,
      '< 200 MB',
      rest.controllerMb < 200,
    ),
    row('its processor time', `${rest.controllerPercent} % of a core`, '< 1 %', rest.controllerPercent < 1),
  ]
}

export function row(what: string, measured: string, target: string, met: boolean | null): string {
  return `| ${what} | ${measured} | ${target} | ${met === null ? '–' : met ? 'yes' : 'no'} |`
}
