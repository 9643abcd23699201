import { until } from '../../servers/until.ts'
import { samples } from './samples.ts'
import type { Standing, World } from './world.ts'

const { OSTLER_SEED, OSTLER_PATH, OSTLER_NIGHTLY, OSTLER_NIGHTLY_MS = '300000' } = process.env

export const nightly: boolean = OSTLER_NIGHTLY !== undefined
/** The same cases in every run; at night others. */
export const seed: number = Number(OSTLER_SEED ?? (nightly ? Date.now() % 2 ** 31 : 1))
/** The only case that is sent, to replay it. */
const only = OSTLER_PATH === undefined ? null : Number(OSTLER_PATH)

/** How long a test may take. */
export const TIMEOUT_MS: number = 300_000 + (nightly ? Number(OSTLER_NIGHTLY_MS) : 0)

const CALLERS = 48
/** Sent before anything is measured: code is slower the first time. */
const WARM_UP = 400
const MOST_PROBLEMS = 8
const MOST_STALL_MS = 50
const MOST_GROWTH_BYTES = 16 * 1024 * 1024

/** Sends the case of this number, and names what was answered. @throws Error where that is not by the book */
export type Run = (seed: number, index: number) => Promise<readonly string[]>

export interface Report {
  /** All that was not as it must be. */
  readonly problems: readonly string[]
  readonly cases: number
  readonly tookMs: number
  /** How often each code was answered, each status that is no error, and each close code. */
  readonly answers: ReadonlyMap<string, number>
  readonly standing: Standing
}

interface Span {
  readonly index: number
  readonly fromMs: number
  readonly toMs: number
}

/** Many callers at once, until each case was sent (at night until the time is over): and how the gateway stands afterwards. */
export async function campaign(world: World, count: number, run: Run): Promise<Report> {
  const first = only ?? 0
  const most = only !== null ? 1 : nightly ? Infinity : count
  if (only === null)
    await sendAll(world, run, { first: count * 1_000, most: WARM_UP, untilMs: Infinity })
  const before = await settled(world)
  const untilMs = nightly ? Date.now() + Number(OSTLER_NIGHTLY_MS) : Infinity
  const sent = await sendAll(world, run, { first, most, untilMs })
  const problems = [...sent.problems]
  if (!world.isRunning()) {
    return {
      ...sent,
      problems: [...problems, `the gateway is gone: ${world.said()}`],
      standing: before,
    }
  }
  const standing = await settled(world)
  if (only === null) problems.push(...sorrows(before, standing, sent.spans))
  if (world.said() !== '') problems.push(`the gateway said: ${world.said()}`)
  return { ...sent, problems, standing }
}

interface Range {
  readonly first: number
  readonly most: number
  readonly untilMs: number
}

async function sendAll(
  world: World,
  run: Run,
  { first, most, untilMs }: Range,
): Promise<Omit<Report, 'standing'> & { readonly spans: readonly Span[] }> {
  const startMs = performance.now()
  const problems: string[] = []
  const answers = new Map<string, number>()
  const spans: Span[] = []
  let next = first
  const isGoingOn = (): boolean =>
    next < first + most &&
    problems.length < MOST_PROBLEMS &&
    Date.now() < untilMs &&
    world.isRunning()
  const caller = async (): Promise<void> => {
    while (isGoingOn()) {
      const index = next++
      const fromMs = Date.now()
      try {
        for (const name of await run(seed, index)) answers.set(name, (answers.get(name) ?? 0) + 1)
      } catch (error) {
        problems.push(
          `${(error as Error).message}\nreplay: OSTLER_SEED=${seed} OSTLER_PATH=${index}`,
        )
      }
      spans.push({ index, fromMs, toMs: Date.now() })
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const tookMs = Math.round(performance.now() - startMs)
  return { problems, cases: next - first, tookMs, answers, spans }
}

/** Waits until nothing is under way any more, and tells how the gateway stands. */
async function settled(world: World): Promise<Standing> {
  let last = await world.look()
  const stalls = [...last.stalls]
  const look = async (): Promise<boolean> => {
    last = await world.look()
    stalls.push(...last.stalls)
    return isQuiet(last)
  }
  if (!isQuiet(last)) {
    await until('nothing is under way', look).catch(() => undefined)
  }
  return { ...last, stalls }
}

function isQuiet({ connections, permits, leases, metrics }: Standing): boolean {
  const held = connections + permits + leases
  return held + gauge(metrics, 'ostler_in_flight') + gauge(metrics, 'ostler_websockets') === 0
}

function gauge(metrics: string, name: string): number {
  return samples(metrics, name)[0].value
}

/** What a gateway must not come to, whatever it was sent. */
function sorrows(before: Standing, after: Standing, spans: readonly Span[]): string[] {
  const problems: string[] = []
  for (const { atMs, stallMs } of after.stalls) {
    if (stallMs <= MOST_STALL_MS) continue
    const meanwhile = spans.filter(({ fromMs, toMs }) => fromMs <= atMs + stallMs && toMs >= atMs)
    const cases = meanwhile.map(({ index }) => index).join(', ')
    problems.push(`it stood still for ${Math.round(stallMs)} ms, amid the cases ${cases}`)
  }
  problems.push(...after.errors.map((line) => `it logged ${line}`))
  if (!isQuiet(after)) {
    const { connections, permits, leases, metrics } = after
    const inFlight = gauge(metrics, 'ostler_in_flight')
    const sockets = gauge(metrics, 'ostler_websockets')
    const held = { connections, permits, leases, inFlight, sockets }
    problems.push(`it holds on to ${JSON.stringify(held)}`)
  }
  const grownBytes = after.heapBytes - before.heapBytes
  if (grownBytes > MOST_GROWTH_BYTES) problems.push(`it holds ${grownBytes} bytes more than before`)
  const grown = grownResources(before.resources, after.resources)
  if (grown !== '') problems.push(`it holds more than before: ${grown}`)
  return problems
}

/** Sockets, pipes and requests of the system that are new; timers come and go. */
function grownResources(before: readonly string[], after: readonly string[]): string {
  const count = (resources: readonly string[], kind: string): number =>
    resources.filter((resource) => resource === kind).length
  return [...new Set(after)]
    .filter((kind) => kind !== 'Timeout' && kind !== 'Immediate')
    .filter((kind) => count(after, kind) > count(before, kind))
    .map((kind) => `${count(after, kind)} ${kind}, not ${count(before, kind)}`)
    .join('; ')
}
