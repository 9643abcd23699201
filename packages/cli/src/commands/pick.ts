import {
  domainOf,
  memoryStore,
  Scheduler,
  seededRandom,
  type Agent,
  type Explained,
  type Mode,
  type PickRequest,
} from '@ostler/core'
import { builtinScenario, placeFleet } from '@ostler/simulator'
import type { Command } from 'commander'
import { applyState, parseState, type State } from '../explain/state.ts'
import { explainedText, shownAgent } from '../explain/text.ts'
import { EXIT, usage } from '../failure.ts'
import { nameOf, readJson, refuseTwoStdins } from '../files.ts'
import type { Io } from '../io.ts'
import { SEED } from '../numbers.ts'
import { openStore, parseStore, STORE_FORMS } from '../stores.ts'
import { complain, readAgents } from './import.ts'

interface Options {
  readonly geo?: string
  readonly session?: string
  readonly agents?: string
  readonly state?: string
  readonly store?: string
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
    .option('--store <url>', `agents and state as a store has them: ${STORE_FORMS}`)
    .option('--avoid <ids>', 'agents to pass over, separated by commas')
    .option('--pin <ids>', 'only these agents')
    .option('--tags <tags>', 'only agents with all of these tags')
    .option('--seed <n>', 'another seed draws another of the equally near', SEED, 1)
    .option('--why', 'show the walk, its counts, and a reason for each candidate')
    .option('--json', 'print all that explain gives')
    .addHelpText('after', STATE_HELP)
    .action(async (url: string, options: Options) => {
      const { explained, nowMs } =
        options.store === undefined
          ? await explainFiles(io, url, options)
          : await explainStore(io, url, options, options.store)
      const domain = domainOf(url)
      io.out(
        options.json
          ? `${JSON.stringify({ domain, nowMs, ...withoutUrls(explained) }, null, 2)}\n`
          : explainedText(explained, domain, options.why === true, nowMs),
      )
      if (explained.kind === 'exhausted') setExitCode(EXIT.noAgent)
    })
}

const STATE_HELP = `
A state file is { "nowMs"?, "exclusions"?: [{ "agent" or "exit",
"domain" or "*", "untilMs" or "forMs" }], "drained"?: [ids] }, with times
in ms since the epoch.
Exits with 3 when there is no agent to pick.`

/** What came of a question, and the instant that it was asked about. */
interface Answer {
  readonly explained: Explained
  readonly nowMs: number
}

async function explainFiles(io: Io, url: string, options: Options): Promise<Answer> {
  refuseTwoStdins(options.agents, options.state)
  const agents = await fleetOf(io, options)
  const { state, what } = await stateOf(io, options)
  const nowMs = state.nowMs ?? io.nowMs()
  const scheduler = schedulerOf(agents, options.seed, nowMs)
  applyState(scheduler, agents, state, nowMs, what)
  const explained = scheduler.explain(requestOf(url, options))
  scheduler.close()
  return { explained, nowMs }
}

async function explainStore(io: Io, url: string, options: Options, text: string): Promise<Answer> {
  if (options.agents !== undefined || options.state !== undefined) {
    throw usage('give --store, or --agents and --state: a store has both')
  }
  const { store, end } = await openStore(parseStore(text))
  try {
    const clock = store.clock ?? { nowMs: () => io.nowMs() }
    const scheduler = new Scheduler<Mode>({
      store,
      clock,
      random: seededRandom(options.seed),
      degraded: { picks: 'refuse' },
    })
    await store.ping?.()
    const explained = await scheduler.explain(requestOf(url, options))
    return { explained, nowMs: clock.nowMs() }
  } finally {
    await end()
  }
}

/** A scheduler whose clock stands still, with these agents. */
export function schedulerOf(
  agents: readonly Agent[],
  seed: number,
  nowMs: number,
): Scheduler<'sync'> {
  const scheduler = new Scheduler({
    store: memoryStore({ maxAgents: 4_000_000 }),
    clock: { nowMs: () => nowMs },
    random: seededRandom(seed),
  })
  scheduler.agents.upsert(agents)
  return scheduler
}

async function fleetOf(io: Io, { agents: path, seed }: Options): Promise<readonly Agent[]> {
  if (path !== undefined) {
    const imported = await readAgents(io, path)
    complain(io, imported)
    return imported.agents
  }
  const { agents } = placeFleet(builtinScenario('quick'), seed)
  io.err(`no --agents: a demo fleet of ${agents.length} agents in real cities\n`)
  return agents
}

async function stateOf(
  io: Io,
  { state: path }: Options,
): Promise<{ readonly state: State; readonly what: string }> {
  if (path === undefined) return { state: { exclusions: [], drained: [] }, what: '' }
  const what = nameOf(path)
  return { state: parseState(await readJson(io, path), what), what }
}

function requestOf(url: string, options: Options): PickRequest {
  const { geo, session, avoid, pin, tags } = options
  return {
    url,
    seed: options.seed,
    ...(geo === undefined ? {} : { geo }),
    ...(session === undefined ? {} : { session }),
    ...(avoid === undefined ? {} : { avoid: listOf(avoid) }),
    ...(pin === undefined ? {} : { pin: listOf(pin) }),
    ...(tags === undefined ? {} : { tags: listOf(tags) }),
  }
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** Urls may hold credentials: they are not shown. */
function withoutUrls(explained: Explained) {
  const candidates = explained.candidates.map((candidate) => ({
    ...candidate,
    agent: shownAgent(candidate.agent),
  }))
  if (explained.kind === 'exhausted') return { ...explained, candidates }
  return { ...explained, agent: shownAgent(explained.agent), candidates }
}
