// What a worker writes down. Each call is two lines of its log: one before it, so that a call that a killed worker was about leaves its
// trace, and one after. Instants: `us` on the monotonic clock that all processes of a host share (rounded down before a call and up
// after it), `ms` of the wall clock, by which the stores decide.
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Answers how to ask: `call(kind, args, ask, shown)`, where `shown` says what of the answer is written down. */
export function recorder(log) {
  const file = openSync(log, 'a')
  const write = (line) => writeSync(file, `${JSON.stringify(line)}\n`)
  let ops = 0

  /** Asks, and writes down before and after. Answers what the scheduler did, or undefined where the store was out of reach. */
  return async function call(kind, args, ask, shown) {
    const op = ++ops
    write({ op, kind, ...args, us: microseconds(), ms: Date.now() })
    try {
      const answer = await ask()
      const told = shown(answer)
      write({ op, us: microseconds() + 1, ms: Date.now(), answer: told })
      return answer
    } catch (error) {
      write({ op, us: microseconds() + 1, ms: Date.now(), error: error.code ?? String(error) })
      // A worker that was stopped before it asked may ask for what is past.
      const isLate =
        kind === 'exclude' && error.code === 'INVALID_REQUEST' && args.untilMs < Date.now()
      if (error.code !== 'STORE_UNAVAILABLE' && !isLate) throw error
      await sleep(5)
      return undefined
    }
  }
}

function microseconds() {
  return Number(process.hrtime.bigint() / 1_000n)
}
