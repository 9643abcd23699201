import type { Event } from './events.ts'

/** What a herd has done: a checker that finds nothing says something only where much happened. */
export interface Tally {
  calls: number
  admitted: number
  denied: number
  /** Denied for want of a permit, or of what its tier's policies allow. */
  deniedPermits: number
  renewed: number
  /** Renewals that came too late. */
  lapsed: number
  picked: number
  exhausted: number
  probes: number
  /** Reports that excluded a pair. */
  blocks: number
  stale: number
  byHand: number
  /** Calls that were told that the store is out of reach, or whose limits were denied for that. */
  outOfReach: number
  /** Calls that a killed worker was about. */
  unfinished: number
}

export function tallyOf(events: readonly Event[]): Tally {
  const tally: Tally = {
    calls: events.length,
    admitted: 0,
    denied: 0,
    deniedPermits: 0,
    renewed: 0,
    lapsed: 0,
    picked: 0,
    exhausted: 0,
    probes: 0,
    blocks: 0,
    stale: 0,
    byHand: 0,
    outOfReach: 0,
    unfinished: 0,
  }
  for (const event of events) {
    if (event.error === 'STORE_UNAVAILABLE') tally.outOfReach++
    else if (event.endUs === Infinity) tally.unfinished++
    else if (event.error === undefined) count(event, tally)
  }
  return tally
}

function count(event: Event, tally: Tally): void {
  switch (event.kind) {
    case 'admit':
      if (event.answer?.degraded === true) tally.outOfReach++
      else if (event.answer?.allowed === true) tally.admitted++
      else if (event.tier === 'held') tally.deniedPermits++
      else tally.denied++
      return
    case 'renew':
      if (event.answer === null) tally.lapsed++
      else tally.renewed++
      return
    case 'pick':
      if (event.answer?.kind !== 'picked') tally.exhausted++
      else if (event.answer.probe) tally.probes++
      else tally.picked++
      return
    case 'report': {
      const { kind, changed, record } = event.answer ?? { kind: 'stale', changed: false }
      if (kind === 'stale') tally.stale++
      else if (changed && record?.health !== 'available') tally.blocks++
      break
    }
    case 'exclude':
    case 'restore':
      tally.byHand++
      break
    case 'release':
    case 'upsert':
      return
    default:
      event satisfies never
  }
}
