/**
 * The rules of permits, over one key's deadlines. A permit is held while its deadline is after
 * `now`. A new id is admitted iff fewer than `cap` are held; one that is held already is extended
 * (to the later deadline) and counts once, whatever the cap. A cap below what is held takes nothing
 * away: it denies until enough has expired or been released.
 */

/** How many deadlines are not after `nowMs`: they come first. `deadlinesMs` ascends. O(log n) */
export function expiredCount(deadlinesMs: readonly number[], nowMs: number): number {
  let low = 0
  let high = deadlinesMs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (deadlinesMs[middle] > nowMs) high = middle
    else low = middle + 1
  }
  return low
}

/**
 * Ms from `nowMs` until a new permit is admitted if none is released: 0 where one is free, -1 where
 * the cap is 0, else until the (held - cap + 1)-th earliest deadline. O(log n)
 */
export function permitRetryMs(deadlinesMs: readonly number[], cap: number, nowMs: number): number {
  const expired = expiredCount(deadlinesMs, nowMs)
  const held = deadlinesMs.length - expired
  if (held < cap) return 0
  return cap === 0 ? -1 : deadlinesMs[expired + held - cap] - nowMs
}
