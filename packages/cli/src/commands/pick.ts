import {
  domainOf,
  memoryStore,
  Scheduler,
  seededRandom,
  type Agent,
  type Explained,
  type PickRequest,
} from '@ostler/core'
import { builtinScenario, placeFleet } from '@ostler/simulator'
import type { Command } from 'commander'
import { applyState, parseState, type State } from '../explain/state.ts'
import { explainedText, shownAgent } from '../explain/text.ts'
import { EXIT } from '../failure.ts'
import { nameOf, readJson } from '../files.ts'
import type { Io } from '../io.ts'
import { SEED } from '../numbers.ts'
import { complain, readAgents } from './import.ts'

interface Options {
  readonly geo?: string
  readonly session?: string
  readonly agents?: string
  readonly state?: string
  readonly avoid?: string
  readonly pin?: string
  readonly tags?: string
  readonly seed: number
  readonly why?: true
  readonly json?: true
}

/** `ostler pick`: which agent would it be, and why? Takes nothing, by `explain`. */
export function pickCommand(ostler: Command, io: Io, setExitCode: (code: number) => void): void {
  ostler
    .command('pick')
    .description('say which agent a URL would be given, and why; takes nothing')
    .argument('<url>', 'the target: a URL or a domain')
    .option('--geo <hint>', 'DE · DE,AT · US-CA · 48.21,16.37 · EU · ;strict · ;radius=500 · -GB')
    .option('--session <id>', 'a session keeps its agent while that is eligible')
    .option('--agents <file>', 'any list that import reads; default: a demo fleet')
    .option('--state <file>', 'what is excluded or drained, as JSON: what would be picked if')
    .option('--avoid <ids>', 'agents to pass over, separated by commas')
    .option('--pin <ids>', 'only these agents')
    .option('--tags <tags>', 'only agents with all of these tags')
    .option('--seed <n>', 'another seed draws another of the equally near', SEED, 1)
    .option('--why', 'show the walk, its counts, and a reason for each candidate')
    .option('--json', 'print all that explain gives')
    .addHelpText('after', STATE_HELP)
    .action(async (url: string, options: Options) => {
      const { agents, nowMs, scheduler, scheduled } = await stable(io, options)
      const explained = scheduler.explain(requestOf(url, options))
      scheduler.close()
      const domain = domainOf(url)
      io.out(
        options.json
          ? `${JSON.stringify({ domain, nowMs: scheduled, ...withoutUrls(explained) }, null, 2)}\n`
          : explainedText(explained, domain, options.why === true, nowMs),
      )
      void agents
      if (explained.kind === 'exhausted') setExitCode(EXIT.noAgent)
    })
}

const STATE_HELP = `
A state file is { "nowMs"?, "exclusions"?: [{ "agent" or "exit", "domain" or "*",
"untilMs" or "forMs" }], "drained"?: [ids] }, with times in ms since the epoch.
Exits with 3 when there is no agent to pick.`
