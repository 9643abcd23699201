import fc from 'fast-check'
import { expect, vi } from 'vitest'

// What a replay command sets; nothing is set in an ordinary run.
const { OSTLER_SEED, OSTLER_PATH, OSTLER_NIGHTLY, OSTLER_NIGHTLY_MS } = process.env

/** One seed per process, printed with every failure, and by `OSTLER_SEED` given again. */
export const seed: number =
  OSTLER_SEED === undefined ? Date.now() ^ (process.pid << 8) : Number(OSTLER_SEED)

/** True in the nightly run, where each property has its own time box. */
export const nightly: boolean = OSTLER_NIGHTLY !== undefined

/** True while a failure is replayed: counts of the whole file mean nothing then. */
export const replaying: boolean = OSTLER_PATH !== undefined

const RUN_MS = 80_000
const NIGHTLY_MS = Number(OSTLER_NIGHTLY_MS ?? 300_000)

/** How long a test of one property may take, in ms. */
export const TIMEOUT_MS: number = nightly ? NIGHTLY_MS + 120_000 : 120_000

vi.setConfig({ testTimeout: TIMEOUT_MS })
console.info(`seed: OSTLER_SEED=${seed}`)

/**
 * Checks a property so many times, or as often as the nightly time box allows.
 * A failure shows the shrunk script, and the one command that replays it.
 */
export function check<T>(property: fc.IProperty<T>, numRuns: number): void {
  // It ends the shrinking of a failure as well: a script that is not the shortest yet beats a time-out.
  // An interruption is of no type: it looks at the time, not at the values.
  const box = fc.interruptAfterTimeLimit(nightly ? NIGHTLY_MS : RUN_MS) as fc.Plugin<T>
  const details: fc.RunDetails<T> = fc.check(property, {
    seed,
    ...(OSTLER_PATH !== undefined && { path: OSTLER_PATH }),
    numRuns: nightly ? 1_000_000_000 : numRuns,
    plugins: [box],
  })
  if (!details.failed) return
  const { testPath, currentTestName } = expect.getState()
  const file = (testPath ?? '').replace(/^.*\/test\//, '').replace(/\.test\.ts$/, '')
  const title = (currentTestName ?? '').split(' > ').at(-1)!.replaceAll("'", '.')
  const replay =
    `OSTLER_SEED=${details.seed} OSTLER_PATH=${details.counterexamplePath ?? ''} ` +
    `npx vitest run --config test/vitest.config.ts ${file} -t '${title}'`
  const cause = details.errorInstance
  const found = cause instanceof Error ? cause.message : String(cause)
  const script = shown(details.counterexample)
  throw new Error(
    `${found}\n\nafter ${details.numShrinks} shrinks:\n${script}\n\nreplay: ${replay}\n`,
  )
}

/** A counterexample, one command a line where it is a script. */
function shown(counterexample: unknown): string {
  if (!Array.isArray(counterexample)) return fc.stringify(counterexample)
  return counterexample
    .flatMap((part: unknown) => (Array.isArray(part) ? part : [part]))
    .map((line: unknown) => `  ${fc.stringify(line)}`)
    .join('\n')
}
