import { join, MOST_EPOCH, sameRecord, stateAt, type PairRecord } from '../health/record.ts'
import type { Change, Lease } from '../store/store.ts'

/**
 * What to tell a store of a pair that was excluded while the store was out of reach; null where it knows as much. A join by maximum alone would
 * lose an exclusion of a pair that the store has seen recover before: a view does not know the epochs of pairs that are available, so the
 * exclusion may bear an older one. It is then joined at the store's epoch, and raises it. The probe of an outage stays behind.
 */
export function toldOf(theirs: PairRecord | null, ours: PairRecord): PairRecord | null {
  const { probe: _, ...record } = ours
  if (theirs === null || theirs.epoch <= record.epoch) return record
  const joined = join(theirs, { ...record, epoch: theirs.epoch }) as PairRecord
  if (sameRecord(joined, theirs)) return null
  return { ...joined, epoch: Math.min(theirs.epoch + 1, MOST_EPOCH) }
}

/** Whether a pair is anything but available. */
export function isHeldBack(record: PairRecord, nowMs: number): boolean {
  return stateAt(record, nowMs).health !== 'available'
}

/** A lease that was given in a store's place, at the epoch that the store knows of its pair, if later; `changes`: those of its domain. */
export function raised(lease: Lease, changes: readonly Change[], nowMs: number): Lease {
  const record = changes.find(({ exit }) => exit === lease.exit)?.record ?? null
  const isOpen = record !== null && !isHeldBack(record, nowMs)
  return isOpen && record.epoch > lease.epoch ? { ...lease, epoch: record.epoch } : lease
}
