// The gateway that is fuzzed, in a process of its own, on the built packages: what stands still here is its own doing.
//
//   node --expose-gc gateway.mjs '{ keys, secret, agents, names }'
//
// Says { url } once it listens, and how it stands whenever it is sent anything. Ends by itself when nobody is there to talk to.
import dns from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGateway, keyRing } from '@ostler/gateway'

const { keys, secret, agents, names } = JSON.parse(process.argv[2])
const BEAT_MS = 5
/** What is told of; more of them is no more of a failure. */
const MOST_TOLD = 100
const TIERS = {
  roomy: { policies: [{ name: 'roomy', limit: 100_000_000, windowMs: 60_000 }], permits: 1_000 },
  tight: { policies: [{ name: 'tight', limit: 5, windowMs: 1_000 }], permits: 1 },
  open: { policies: [] },
  // Guesses at keys are not to end in 429 after ten of them: most of what is sent here has no key that is good.
  unauthenticated: {
    policies: [{ name: 'unauthenticated', limit: 100_000_000, windowMs: 60_000 }],
  },
}

// All look-ups go to the test's own name server.
dns.Resolver = class extends dns.Resolver {
  constructor(options) {
    super(options)
    this.setServers([names])
  }
}
syncBuiltinESMExports()

const errors = []
const gateway = await createGateway({
  keys: keyRing(keys, secret),
  agents,
  tiers: TIERS,
  allowTargets: ['127.0.0.0/8'],
  log: 'error',
  logTo: { write: (line) => errors.length < MOST_TOLD && errors.push(line) },
})

/** Time in which nothing else ran here: what the machine gave to others meanwhile is not charged. */
const stalls = []
let beatMs = performance.now()
let ranMs = cpuMs()
setInterval(() => {
  const [nowMs, cpuNowMs] = [performance.now(), cpuMs()]
  const stallMs = Math.min(nowMs - beatMs - BEAT_MS, cpuNowMs - ranMs)
  stalls.push({ atMs: Date.now() - stallMs, stallMs })
  if (stalls.length >= 2 * MOST_TOLD) keepLongest()
  ;[beatMs, ranMs] = [nowMs, cpuNowMs]
}, BEAT_MS)

function keepLongest() {
  stalls.sort((a, b) => b.stallMs - a.stallMs)
  stalls.length = Math.min(stalls.length, MOST_TOLD)
}

/** Processor time of the main thread, where the system tells it; else of the whole process, which is more. */
function cpuMs() {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ', 1)[0]) / 1e6
  } catch {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
}

async function standing() {
  keepLongest()
  const told = stalls.splice(0)
  // Twice, and with a turn between: what was freed by the first may hold what is freed by the second.
  globalThis.gc()
  await sleep(BEAT_MS)
  globalThis.gc()
  // Collecting by hand is nobody's stall.
  ;[beatMs, ranMs] = [performance.now(), cpuMs()]
  stalls.length = 0
  const { scheduler, app } = gateway
  const permits = keys.flatMap(({ id, tier }) =>
    scheduler.usage(id, tier).filter(({ policy }) => policy === 'permits'),
  )
  const explained = scheduler.explain({ url: 'http://127.0.0.1/' })
  const { payload: metrics } = await app.inject('/metrics')
  return {
    stalls: told,
    errors,
    heapBytes: process.memoryUsage().heapUsed,
    connections: await new Promise((resolve) => {
      app.server.getConnections((_, count) => resolve(count))
    }),
    resources: process.getActiveResourcesInfo(),
    permits: permits.reduce((sum, { used }) => sum + used, 0),
    leases: (explained.candidates ?? []).reduce((sum, { inFlight }) => sum + inFlight, 0),
    metrics,
  }
}

process.on('message', () => void standing().then((told) => process.send(told)))
process.on('disconnect', () => process.exit())
process.send({ url: await gateway.listen({ port: 0 }) })
