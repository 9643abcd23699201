import fc from 'fast-check'
import { afterAll, test } from 'vitest'
import { fleetArbitrary, runScript, scriptArbitrary } from '@ostler/testkit'
import { check, nightly, replaying, TIMEOUT_MS } from './replay.ts'
import { openWorld, POOLS } from './rig.ts'

/** Commands of one `npm test`, at least: scripts have half their greatest length on the average. */
const LEAST_COMMANDS = 200_000
const LENGTH = 200
const RUNS = 1_800

let commands = 0

/** Random fleets under random scripts: after each line the scheduler and the naive model agree. */
function scripts(options: Parameters<typeof openWorld>[1]) {
  return fc.property(fleetArbitrary(14), scriptArbitrary(POOLS, LENGTH), (fleet, script) => {
    runScript(openWorld(fleet, options), script)
    commands += script.length
  })
}

test(
  'deterministic: every line of a script gives what the naive model gives',
  () => check(scripts({}), RUNS),
  TIMEOUT_MS,
)

test(
  'bounded-truth: with one view kept ready nothing is lost',
  // Turns of probes are counted in views: so seldom that no script meets one.
  () => check(scripts({ maxViews: 1, probeShare: 0.01 }), RUNS / 6),
  TIMEOUT_MS,
)

test(
  'recovery: a steeper ladder, quick decay and short rests follow the model too',
  () =>
    check(
      scripts({
        health: {
          ladder: [
            { health: 'limited', durationMs: 1_000 },
            { health: 'unavailable', durationMs: 5_000 },
            { health: 'unavailable', durationMs: 60_000 },
          ],
          rateLimitedMs: 5_000,
          strikeDecayMs: 30_000,
          okStreakToForget: 2,
        },
        breaker: { threshold: 1, restMs: 1_000, maxRestMs: 30_000 },
        leaseMs: 5_000,
        probeShare: 0.5,
      }),
      RUNS / 6,
    ),
  TIMEOUT_MS,
)

test(
  'exhaustion-truth: a domain in an incident is held to a few dispatches',
  () => check(scripts({ incidentInFlight: 2 }), RUNS / 6),
  TIMEOUT_MS,
)

afterAll(() => {
  console.info(`properties/model: ${commands} commands`)
  if (!nightly && !replaying && commands < LEAST_COMMANDS) {
    throw new Error(`expected at least ${LEAST_COMMANDS} commands, ran ${commands}`)
  }
})
