import type { Mode } from '@ostler/core'
import {
  builtinScenario,
  compare,
  comparisonHtml,
  comparisonTable,
  count,
  ostlerOn,
  parseScenarioText,
  policies,
  type Compared,
  type PolicySpec,
  type Scenario,
} from '@ostler/simulator'
import { InvalidArgumentError, type Command } from 'commander'
import { failureOf, usage } from '../failure.ts'
import { nameOf, readText, writeText } from '../files.ts'
import type { Io } from '../io.ts'
import { SEED } from '../numbers.ts'
import { ProgressBar } from '../progress.ts'
import { openEmptyStore, parseStore, STORE_FORMS } from '../stores.ts'

/** What says how to run, and not how to show it. */
type SimulateOptions = Pick<Options, 'seed' | 'policies' | 'store'>

interface Options {
  readonly seed?: number
  readonly quick?: true
  readonly json?: true
  readonly html?: string
  readonly policies?: readonly PolicySpec[]
  readonly store?: string
}

/** `ostler simulate`: policies side by side on one trace, under a virtual clock. */
export function simulateCommand(ostler: Command, io: Io): void {
  ostler
    .command('simulate')
    .description('compare ways to pick an agent, on the same requests, under a virtual clock')
    .argument('[scenario]', 'a scenario file (JSON); default: the one that comes with Ostler')
    .option('--seed <n>', 'draw everything from this seed (default: the scenario’s)', SEED)
    .option('--quick', 'the small scenario: about 20,000 requests, a few seconds')
    .option('--policies <names>', `a list of ${names().join(', ')}`, policyList)
    .option('--store <url>', `run ours on an empty store: ${STORE_FORMS}`, 'memory')
    .option('--json', 'print the figures as JSON')
    .option('--html <file>', 'write a report with charts, one page that needs nothing else')
    .action(async (path: string | undefined, options: Options) => {
      if (path !== undefined && options.quick) throw usage('give a scenario file or --quick')
      const scenario = await scenarioOf(io, path, options)
      const compared = await simulate(io, scenario, options)
      const { comparison } = compared
      io.out(
        options.json ? `${JSON.stringify(comparison, null, 2)}\n` : comparisonTable(comparison),
      )
      io.err(speedLine(compared))
      // After the table, so that a page that cannot be written does not lose the run.
      if (options.html !== undefined) writeText(options.html, comparisonHtml(comparison))
    })
}

/**
 * Runs a comparison with a progress bar; `plainly`: a line per policy where there is no terminal.
 */
export async function simulate(
  io: Io,
  scenario: Scenario,
  { seed = scenario.seed, policies: chosen = policies, store = 'memory' }: SimulateOptions,
  plainly = false,
): Promise<Compared> {
  const target = parseStore(store)
  // Nothing is opened for policies that know no store.
  const ours = chosen.find(({ name }) => name === 'ostler')
  const opened = ours === undefined ? null : await openEmptyStore(target)
  const bar = new ProgressBar(io, plainly)
  try {
    return await compare<Mode>(scenario, {
      seed,
      policies: chosen.map((spec) =>
        spec === ours && opened !== null ? ostlerOn(() => opened.store) : spec,
      ),
      onProgress: ({ policy, done, total }) => {
        if (policy !== 'done') {
          bar.show(policy === 'world' ? 'building the world' : `running ${policy}`, done, total)
        }
      },
    })
  } finally {
    bar.clear()
    // Neither the table nor the failure is to be lost over what is left behind.
    await opened?.end().catch((error: unknown) => {
      io.err(`${failureOf(error).message}\n`)
    })
  }
}

/** Speed is this machine's, so it goes to standard error. */
export function speedLine({ picksPerSecond }: Compared): string {
  const speeds = Object.entries(picksPerSecond).map(([name, speed]) => `${name} ${count(speed)}`)
  return `picks per second here: ${speeds.join(', ')}\n`
}

async function scenarioOf(io: Io, path: string | undefined, { quick }: Options): Promise<Scenario> {
  if (path === undefined) return builtinScenario(quick ? 'quick' : 'default')
  return parseScenarioText(await readText(io, path), nameOf(path))
}

function names(): string[] {
  return policies.map((policy) => policy.name)
}

function policyList(text: string): readonly PolicySpec[] {
  const wanted = [...new Set(text.split(',').map((name) => name.trim()))]
  return wanted.map((name) => {
    const found = policies.find((policy) => policy.name === name)
    if (found !== undefined) return found
    throw new InvalidArgumentError(`knows ${names().join(', ')}, got "${name}".`)
  })
}
