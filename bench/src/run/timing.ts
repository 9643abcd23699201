import { Bench } from 'tinybench'
import type { Case } from '../case.ts'
import type { Pace, Timing } from './results.ts'
import { median } from './summary.ts'

/** What one case spends on warming up, at most. */
const MOST_WARM_UP_MS = 150

/** Of groups after the first most is compiled already. */
const LATER_WARM_UP = 1 / 3

/** Times the cases of each group against each other in this process, one group after the other. */
export async function timeCases(
  cases: readonly Case[],
  pace: Pace,
  first: number,
): Promise<Map<string, Timing>> {
  const found = new Map<string, Timing>()
  for (const [i, group] of groupsOf(cases).entries()) {
    const warmUpMs = i === 0 ? pace.warmUpMs : pace.warmUpMs * LATER_WARM_UP
    const timings = await timeGroup(group, { ...pace, warmUpMs }, first)
    for (const [name, timing] of timings) found.set(name, timing)
    // What one group leaves behind is not for the next one to clear away.
    globalThis.gc?.()
  }
  return found
}

function groupsOf(cases: readonly Case[]): readonly (readonly Case[])[] {
  const groups = new Map<string | undefined, Case[]>()
  for (const one of cases) {
    const others = groups.get(one.group)
    if (others === undefined) groups.set(one.group, [one])
    else others.push(one)
  }
  return [...groups.values()]
}

/** In rounds, in each of which the next one begins. */
async function timeGroup(
  cases: readonly Case[],
  pace: Pace,
  first: number,
): Promise<Map<string, Timing>> {
  const states = new Map<string, unknown>()
  for (const one of cases) states.set(one.name, await one.setup())
  const rounds = new Map<string, Timing[]>(cases.map(({ name }) => [name, []]))
  const warmUpMs = Math.min(MOST_WARM_UP_MS, pace.warmUpMs / cases.length)
  for (let round = 0; round < pace.rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      const one = cases[(first + round + i) % cases.length]
      rounds
        .get(one.name)
        ?.push(await timeRound(one, states.get(one.name), pace.roundMs, round === 0 ? warmUpMs : 0))
    }
  }
  for (const one of cases) {
    const state = states.get(one.name)
    one.validate(state)
    await one.close?.(state)
  }
  return new Map([...rounds].map(([name, timings]) => [name, middle(timings)]))
}

/** A round in a bench of its own: one that runs again would give its first result again. */
async function timeRound(
  one: Case,
  state: unknown,
  roundMs: number,
  warmUpMs: number,
): Promise<Timing> {
  const bench = new Bench({
    time: roundMs,
    iterations: 3,
    warmup: warmUpMs > 0,
    warmupTime: warmUpMs,
    warmupIterations: 1,
    throws: true,
  })
  const { before, async = false, ops = 1 } = one
  bench.add(one.name, () => one.run(state), {
    async,
    ...(before && { beforeEach: () => before(state) }),
  })
  const [task] = async ? await bench.run() : bench.runSync()
  const { result } = task
  if (result.state !== 'completed') throw new Error(`${one.name}: ${result.state}`)
  const { p50, p99, mean, samplesCount } = result.latency
  const each = 1e6 / ops
  return { p50Ns: p50 * each, p99Ns: p99 * each, meanNs: mean * each, samples: samplesCount }
}

/** Of several rounds the median of each number. */
function middle(rounds: readonly Timing[]): Timing {
  const of = (pick: (round: Timing) => number): number => median(rounds.map(pick))
  return {
    p50Ns: of(({ p50Ns }) => p50Ns),
    p99Ns: of(({ p99Ns }) => p99Ns),
    meanNs: of(({ meanNs }) => meanNs),
    samples: rounds.reduce((sum, { samples }) => sum + samples, 0),
  }
}
