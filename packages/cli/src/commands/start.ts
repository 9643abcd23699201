import { builtinScenario, comparisonTable, START_MS } from '@ostler/simulator'
import type { Command } from 'commander'
import { explainedText } from '../explain/text.ts'
import type { Io } from '../io.ts'
import { schedulerOf } from './pick.ts'
import { simulate, speedLine } from './simulate.ts'

const DOMAIN = 'shop.example'
const VIENNA = '48.21,16.37'

/**
 * `ostler start`: the tour that `npm start` gives. The default scenario, one explained pick, and
 * where to go from there.
 */
export function startCommand(ostler: Command, io: Io): void {
  ostler
    .command('start')
    .description('the tour: the default simulation, one explained pick, what to try next')
    .action(() => {
      const compared = simulate(io, builtinScenario('default'), {}, true)
      io.out(`${comparisonTable(compared.comparison)}\n`)
      io.err(speedLine(compared))
      io.out(explainOne(compared.world.fleet.agents))
      io.out(NEXT)
    })
}

/** A pick from Vienna, where the shop has excluded what is nearest: the walk goes outward. */
function explainOne(agents: Parameters<typeof schedulerOf>[0]): string {
  const nowMs = START_MS
  const scheduler = schedulerOf(agents, 1, nowMs)
  const request = { domain: DOMAIN, geo: VIENNA, seed: 1 }
  const [nearest] = scheduler.explain(request).localities
  for (const { id, city, country } of agents) {
    if (nearest?.name === `${country}/${city}`) scheduler.exclude(id, DOMAIN, nowMs + 300_000)
  }
  const explained = scheduler.explain(request)
  scheduler.close()
  return `One pick, explained: ${DOMAIN} from Vienna, with the nearest agents excluded

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
