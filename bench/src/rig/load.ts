/** How long each request of a load took, in ms, and how many came in a second. */
export interface Driven {
  readonly latenciesMs: readonly number[]
  readonly perSecond: number
}

/** So many callers at once, each of which waits for its answer before it asks again. @throws what a request throws */
export async function drive(
  inFlight: number,
  ms: number,
  request: (i: number) => Promise<void>,
): Promise<Driven> {
  const latenciesMs: number[] = []
  const startMs = performance.now()
  const untilMs = startMs + ms
  let next = 0
  const caller = async (): Promise<void> => {
    for (let beganMs = startMs; beganMs < untilMs;) {
      await request(next++)
      const endedMs = performance.now()
      latenciesMs.push(endedMs - beganMs)
      beganMs = endedMs
    }
  }
  await Promise.all(Array.from({ length: inFlight }, caller))
  const seconds = (performance.now() - startMs) / 1_000
  return { latenciesMs, perSecond: latenciesMs.length / seconds }
}

/** Of values that are sorted here, the one that a share of them does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
