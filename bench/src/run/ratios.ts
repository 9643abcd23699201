/** What a hot path came to: times its floor, and bytes for each operation. */
export interface Cost {
  readonly ratio: number
  readonly bytes: number
}

/** By the name of the path. */
export type Costs = Readonly<Record<string, Cost>>

/** A path that has become so many times as dear, beside a floor of the same run, has become slower: noise only ever adds, and of several runs the cheapest counts. */
export const SLOWER = 1.6
/** What a path may allocate: a seventh more, for which way a walk goes decides some of it, and less than the smallest object. */
export function mostBytes(recorded: number): number {
  return recorded * 1.15 + 12
}

/** The cheapest of several runs. */
export function least(runs: readonly Costs[]): Costs {
  const names = new Set(runs.flatMap((run) => Object.keys(run)))
  return Object.fromEntries(
    [...names].map((name) => {
      const found = runs.flatMap((run) => run[name] ?? [])
      const ratio = Math.min(...found.map((each) => each.ratio))
      return [name, { ratio, bytes: Math.min(...found.map((each) => each.bytes)) }]
    }),
  )
}

/** What has become worse than it was, in words; a path that is new or gone is said as well. */
export function guardProblems(recorded: Costs, found: Costs): readonly string[] {
  const problems: string[] = []
  for (const [name, was] of Object.entries(recorded)) {
    const is = found[name]
    if (is === undefined) {
      problems.push(`${name}: was not measured`)
      continue
    }
    if (is.ratio > SLOWER * was.ratio) {
      const times = (is.ratio / was.ratio).toFixed(1)
      problems.push(
        `${name}: ${times} times as slow: ${is.ratio.toFixed(1)} times the floor, was ${was.ratio.toFixed(1)} (at most ${(SLOWER * was.ratio).toFixed(1)})`,
      )
    }
    if (is.bytes > mostBytes(was.bytes)) {
      problems.push(
        `${name}: allocates ${is.bytes.toFixed(0)} bytes a call, was ${was.bytes.toFixed(0)}`,
      )
    }
  }
  for (const name of Object.keys(found)) {
    if (recorded[name] === undefined) problems.push(`${name}: is not recorded`)
  }
  return problems
}

/** What the quotient of two revisions lies between, and what that says. */
export interface Comparison {
  /** Of paired runs: 1 is equal, 2 twice as slow. */
  readonly ratio: number
  readonly low: number
  readonly high: number
  readonly verdict: 'slower' | 'faster' | 'equal' | 'unsure'
}

/** Less than this the same code differs by where the compiler happens to put it. */
const MATTERS = 0.03
/** An interval that is wider than this about 1 does not show that two are equal: it shows that the machine is busy. */
const SURE = 0.15
/** Student's t, 99 % on two sides, by degrees of freedom from 1. */
const T99 = [
  63.66, 9.92, 5.84, 4.6, 4.03, 3.71, 3.5, 3.36, 3.25, 3.17, 3.11, 3.05, 3.01, 2.98, 2.95, 2.92,
  2.9, 2.88, 2.86, 2.85,
]

/** Judges the quotients of paired runs by the interval of 99 % about the mean of their logarithms. Takes 2 pairs or more. */
export function compared(ratios: readonly number[]): Comparison {
  const logs = ratios.map((ratio) => Math.log(ratio))
  const n = logs.length
  const mean = logs.reduce((sum, log) => sum + log, 0) / n
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (n - 1)
  const margin = (T99[n - 2] ?? 2.8) * Math.sqrt(variance / n)
  const ratio = Math.exp(mean)
  const low = Math.exp(mean - margin)
  const high = Math.exp(mean + margin)
  return { ratio, low, high, verdict: verdictOf(ratio, low, high) }
}

function verdictOf(ratio: number, low: number, high: number): Comparison['verdict'] {
  if (low > 1 && ratio > 1 + MATTERS) return 'slower'
  if (high < 1 && ratio < 1 - MATTERS) return 'faster'
  return low > 1 - SURE && high < 1 + SURE ? 'equal' : 'unsure'
}
