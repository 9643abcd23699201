import { seededRandom } from '@ostler/core'

/** Ranks 0 to n - 1, drawn by Zipf's law: rank r has weight 1 / (r + 1). */
export function zipfRanks(n: number, draws: number, seed: number): Uint32Array {
  const cumulative = new Float64Array(n)
  let total = 0
  for (let rank = 0; rank < n; rank++) {
    total += 1 / (rank + 1)
    cumulative[rank] = total
  }
  const random = seededRandom(seed)
  return Uint32Array.from({ length: draws }, () => firstAbove(cumulative, random() * total))
}

/** The first index whose value is above `value`. */
export function firstAbove(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle] > value) high = middle
    else low = middle + 1
  }
  return low
}

/** 0 to n - 1 in a seeded random order (Fisher and Yates). */
export function shuffled(n: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  const random = seededRandom(seed)
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const held = order[i]
    order[i] = order[j]
    order[j] = held
  }
  return order
}
