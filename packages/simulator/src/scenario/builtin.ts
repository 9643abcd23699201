import { readFileSync } from 'node:fs'
import { parseScenarioText } from './parse.ts'
import type { Scenario } from './scenario.ts'

/**
 * A scenario of the package's `scenarios/` folder. `default`: 20,000 agents, 300 domains, one
 * virtual hour; `quick`: the same world in small, for a few seconds.
 */
export function builtinScenario(name: 'default' | 'quick'): Scenario {
  const url = new URL(`../../scenarios/${name}.json`, import.meta.url)
  return parseScenarioText(readFileSync(url, 'utf8'), `scenarios/${name}.json`)
}
