import { Bench } from 'tinybench'
import type { Case, Group, Row, Runnable, Timed } from './group.ts'

const ROUNDS = 3
const ROUND_MS = 120
const WARM_UP_MS = 120

/** Times each case in rounds, one operation a sample; reading the timer is a part of each sample. */
export function timed<State>(group: Group<State>): Runnable {
  return {
    name: group.name,
    rows(): Row[] {
      const state = group.setup()
      return group.cases.map((one) => {
        const rounds = Array.from({ length: ROUNDS }, (_, round) => latency(one, state, round))
        one.validate(state)
        return summary(group.name, one.name, rounds)
      })
    },
  }
}

interface Latency {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly samplesCount: number
}

/** A round in a bench of its own: one that runs again would give its first result again. */
function latency<State>(one: Case<State>, state: State, round: number): Latency {
  const bench = new Bench({
    time: ROUND_MS,
    warmupTime: round === 0 ? WARM_UP_MS : 0,
    throws: true,
  })
  bench.add(one.name, () => one.run(state), { async: false })
  const [task] = bench.runSync()
  const { result } = task
  if (result.state !== 'completed') throw new Error(`${task.name}: ${result.state}`)
  return result.latency
}

function summary(group: string, name: string, rounds: readonly Latency[]): Timed {
  const medians = rounds.map(({ p50 }) => p50).sort((a, b) => a - b)
  const middle = medians[medians.length >> 1]
  const p99s = rounds.map(({ p99 }) => p99).sort((a, b) => a - b)
  return {
    kind: 'timed',
    group,
    name,
    p50Ns: middle * 1e6,
    p99Ns: p99s[p99s.length >> 1] * 1e6,
    maxNs: Math.max(...rounds.map(({ max }) => max)) * 1e6,
    spread: (medians[medians.length - 1] - medians[0]) / middle,
    samples: rounds.reduce((sum, { samplesCount }) => sum + samplesCount, 0),
  }
}
