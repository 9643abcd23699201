import type { AgentBreaker, ExclusionReason, Health, Incident, PairRecord } from '@ostler/core'

const HEALTHS: readonly Health[] = ['available', 'limited', 'unavailable']
const REASONS: readonly ExclusionReason[] = ['rate_limited', 'challenged', 'blocked', 'manual']

/** Fields before the lease id, which comes last because it may hold commas. */
const FIELDS = 12

/** A record as `lua/lib/record.lua` keeps it. Its instants and counts are integers below 2^53. */
export function encodeRecord(record: PairRecord): string {
  const { probe, manual } = record
  const fields = [
    HEALTHS.indexOf(record.health),
    record.rung,
    record.untilMs,
    record.epoch,
    record.strikes,
    record.strikeAtMs,
    record.okStreak,
    record.limitedStreak,
    REASONS.indexOf(record.reason),
    record.forgetAtMs,
    manual === undefined ? '' : manual.untilMs,
    probe === undefined ? '' : probe.deadlineMs,
  ]
  return `${fields.join(',')},${probe === undefined ? '' : probe.leaseId}`
}

/** What `encodeRecord`, here or in Lua, has written. */
export function decodeRecord(text: string): PairRecord {
  const fields = text.split(',', FIELDS)
  const manual = fields[10]
  const deadline = fields[11]
  return {
    health: HEALTHS[Number(fields[0])],
    rung: Number(fields[1]),
    untilMs: Number(fields[2]),
    epoch: Number(fields[3]),
    strikes: Number(fields[4]),
    strikeAtMs: Number(fields[5]),
    okStreak: Number(fields[6]),
    limitedStreak: Number(fields[7]),
    reason: REASONS[Number(fields[8])],
    forgetAtMs: Number(fields[9]),
    ...(deadline !== '' && {
      probe: { leaseId: text.slice(fields.join(',').length + 1), deadlineMs: Number(deadline) },
    }),
    ...(manual !== '' && { manual: { untilMs: Number(manual) } }),
  }
}

/** `failures,down until`, as `lua/lib/breaker.lua` keeps it. */
export function decodeBreaker(text: string): AgentBreaker {
  const [failures, downUntilMs] = text.split(',').map(Number)
  return { failures, downUntilMs }
}

/** `opened at,cause,last event`, as `lua/lib/changes.lua` tells it; empty for none. */
export function decodeIncident(text: string): Incident | null {
  if (text === '') return null
  const [openedAtMs, cause, lastEventMs] = text.split(',').map(Number)
  return { openedAtMs, cause: cause === 1 ? 'exclusions' : 'failures', lastEventMs }
}
