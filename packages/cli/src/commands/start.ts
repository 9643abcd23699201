import { distanceKm, type Agent } from '@ostler/core'
import { builtinScenario, comparisonTable, START_MS } from '@ostler/simulator'
import type { Command } from 'commander'
import { explainedText } from '../explain/text.ts'
import type { Io } from '../io.ts'
import { schedulerOf } from './pick.ts'
import { simulate, speedLine } from './simulate.ts'

const DOMAIN = 'shop.example'
const VIENNA = { lat: 48.21, lon: 16.37 }
const NEAR_KM = 30

/**
 * `ostler start`: the tour that `npm start` gives. The default scenario, one explained pick, and
 * where to go from there.
 */
export function startCommand(ostler: Command, io: Io): void {
  ostler
    .command('start')
    .description('the tour: the default simulation, one explained pick, what to try next')
    .action(async () => {
      const compared = await simulate(io, builtinScenario('default'), {}, true)
      io.out(`${comparisonTable(compared.comparison)}\n`)
      io.err(speedLine(compared))
      io.out(tourText(compared.world.fleet.agents))
    })
}

/** What follows the comparison: one explained pick, and where to go from there. */
export function tourText(agents: readonly Agent[]): string {
  return explainOne(agents) + NEXT
}

/** A pick from Vienna, where the shop has excluded what is near: the walk goes outward. */
function explainOne(agents: readonly Agent[]): string {
  const nowMs = START_MS
  const scheduler = schedulerOf(agents, 1, nowMs)
  for (const { id, lat, lon } of agents) {
    if (distanceKm(VIENNA.lat, VIENNA.lon, lat!, lon!) > NEAR_KM) continue
    scheduler.exclude(id, DOMAIN, nowMs + 300_000)
  }
  const geo = `${VIENNA.lat},${VIENNA.lon}`
  const explained = scheduler.explain({ domain: DOMAIN, geo, seed: 1 })
  scheduler.close()
  return `One pick, explained: ${DOMAIN} from Vienna, all within ${NEAR_KM} km excluded

${explainedText(explained, DOMAIN, true, nowMs)}`
}

const NEXT = `
Try next
  npm run -s ostler -- pick https://shop.example --geo 'DE,AT;strict' --why
  npm run -s ostler -- simulate --quick --html report.html
  npm run -s ostler -- import proxies.txt --out agents.json
  npm run -s ostler -- replay access.log --limit 60 --window 60000
  npm run -s ostler -- --help
`
