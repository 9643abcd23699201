import { named, ofKind, type Event, type ReportEvent, type Violation } from './events.ts'

const EXCLUDES: ReadonlySet<string> = new Set(['blocked', 'challenged', 'rate_limited'])

/** What reports are told fits together: each exclusion has an epoch of its own, and who comes with an older one, or twice, is `stale`. */
export function reportViolations(events: readonly Event[]): Violation[] {
  const reports = ofKind(events, 'report').filter(({ answer }) => answer !== undefined)
  const byPair = new Map<string, ReportEvent[]>()
  for (const report of reports) {
    const pair = `${report.exit} at ${report.domain}`
    byPair.set(pair, [...(byPair.get(pair) ?? []), report])
  }
  const pairs = [...byPair].flatMap(([pair, all]) => pairViolations(pair, all))
  return [...pairs, ...twiceViolations(reports)]
}

/** In the order of their beginnings. */
function pairViolations(pair: string, reports: readonly ReportEvent[]): Violation[] {
  const violations: Violation[] = []
  const raisedBy = new Map<number, ReportEvent>()
  const ended = [...reports].sort((a, b) => a.endUs - b.endUs)
  let next = 0
  let epoch = 0
  for (const report of reports) {
    // The newest epoch that somebody had been told before this report began.
    for (; next < ended.length && ended[next].endUs <= report.startUs; next++) {
      epoch = Math.max(epoch, ended[next].answer?.record?.epoch ?? 0)
    }
    const { kind, changed, record } = report.answer ?? { kind: 'stale', changed: false }
    // Of a probe that is fenced, the pair is let go of at least.
    if (report.epoch < epoch && (kind === 'applied' || (changed && !report.probe))) {
      const text = `${named(report)} of epoch ${report.epoch} counted for ${pair} in epoch ${epoch}`
      violations.push({ law: 'fencing', text })
    }
    if (kind === 'stale' || !changed || !EXCLUDES.has(report.outcome)) continue
    const other = raisedBy.get(record?.epoch ?? 0)
    if (other !== undefined) {
      const text = `${named(report)} and ${named(other)} raised ${pair} to epoch ${record?.epoch}`
      violations.push({ law: 'burst', text })
    }
    raisedBy.set(record?.epoch ?? 0, report)
  }
  return violations
}

/** A lease that was reported is reported: the same again is `stale`. */
function twiceViolations(reports: readonly ReportEvent[]): Violation[] {
  const first = new Map<string, ReportEvent>()
  return reports.flatMap((report) => {
    const before = first.get(report.lease)
    if (before === undefined) {
      first.set(report.lease, report)
      return []
    }
    if (before.endUs > report.startUs || report.answer?.kind === 'stale') return []
    const text = `${named(report)} of ${report.lease} was applied after ${named(before)}`
    return [{ law: 'idempotent-report', text }]
  })
}
