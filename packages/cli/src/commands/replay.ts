import type { Tier } from '@ostler/core'
import { columns, count, counted, duration, percent } from '@ostler/simulator'
import { Option, type Command } from 'commander'
import { usage } from '../failure.ts'
import { nameOf, readChunks, readJson, refuseTwoStdins } from '../files.ts'
import type { Io } from '../io.ts'
import { replayLog, type ClientReplay, type Replayed } from '../log/replay.ts'
import { wholeNumber } from '../numbers.ts'

interface Options {
  readonly limit?: number
  readonly window?: number
  readonly tier?: string
  readonly by: 'ip' | 'user'
  readonly top: number
  readonly reorder: number
  readonly json?: true
}

const MONTH_MS = 31 * 86_400_000
const DEFAULT_LIMIT = 60
const DEFAULT_WINDOW_MS = 60_000

/** `ostler replay`: an access log against a tier; who would have been limited, when. */
export function replayCommand(ostler: Command, io: Io): void {
  ostler
    .command('replay')
    .description('send an access log through a tier: who would have been limited, when')
    .argument('<log>', 'a common or combined access log (- for standard input)')
    .option(
      '--limit <n>',
      `requests in a window (default: ${DEFAULT_LIMIT})`,
      wholeNumber(0, 2 ** 31 - 1),
    )
    .option('--window <ms>', `the window (default: ${DEFAULT_WINDOW_MS})`, wholeNumber(1, MONTH_MS))
    .option('--tier <file>', 'a tier as JSON instead: { "policies": [{ name, limit, windowMs }] }')
    .addOption(new Option('--by <what>', 'who a client is').choices(['ip', 'user']).default('ip'))
    .option('--top <n>', 'show so many of the most limited clients', wholeNumber(1, 100_000), 10)
    .option('--reorder <ms>', 'lines may be so far out of order', wholeNumber(0, MONTH_MS), 60_000)
    .option('--json', 'print all limited clients as JSON')
    .addHelpText(
      'after',
      '\nTime is the log’s. Lines are put in order within --reorder; one that comes\n' +
        'later yet is given the time of the one before it, and counted. Lines that are\n' +
        'no requests are reported by number on standard error. Exits with 2 when no\n' +
        'line is a request.',
    )
    .action(async (path: string, options: Options) => {
      refuseTwoStdins(path, options.tier)
      const tier = await tierOf(io, options)
      const replayed = await replayLog(readChunks(io, path), {
        tier,
        by: options.by,
        reorderMs: options.reorder,
        onBad: (line, reason) => io.err(`line ${line}: ${reason}\n`),
      })
      if (replayed.requests === 0) throw usage(`${nameOf(path)} has no request in it`)
      io.out(
        options.json ? `${JSON.stringify(replayed, null, 2)}\n` : report(replayed, tier, options),
      )
    })
}

async function tierOf(io: Io, { limit, window, tier: path }: Options): Promise<Tier> {
  if (path === undefined) {
    const windowMs = window ?? DEFAULT_WINDOW_MS
    return { policies: [{ name: 'replay', limit: limit ?? DEFAULT_LIMIT, windowMs }] }
  }
  if (limit !== undefined || window !== undefined) {
    throw usage('give --tier, or --limit and --window')
  }
  // What is within is checked by the scheduler, which lists every problem by its path.
  return (await readJson(io, path)) as Tier
}

function report(replayed: Replayed, { policies }: Tier, options: Options): string {
  const { limitedClients, requests, limited } = replayed
  const shown = limitedClients.slice(0, options.top)
  const rules = policies.map(({ limit, windowMs }) => `${count(limit)} in ${span(windowMs)}`)
  const lines = [
    `${counted(requests, 'request')} of ${counted(replayed.clients, 'client')}, ` +
      `${instant(replayed.fromMs!)} to ${instant(replayed.toMs!)}`,
    `tier: ${rules.join(' and ') || 'no limit'}, by ${options.by}`,
    `admitted ${count(requests - limited)}, limited ${count(limited)} ` +
      `(${percent(limited / requests)}) of ${counted(limitedClients.length, 'client')}`,
  ]
  if (replayed.bad > 0) {
    lines.push(
      `${count(replayed.bad)} of ${count(replayed.lines)} lines ${replayed.bad === 1 ? 'is no request' : 'are no requests'}`,
    )
  }
  if (replayed.clamped > 0)
    lines.push(`${counted(replayed.clamped, 'line was', 'lines were')} given a later time`)
  if (shown.length > 0) {
    lines.push(
      '',
      ...columns([
        ['most limited', 'limited', 'requests', 'longest wait', 'first limited at'],
        ...shown.map(row),
      ]),
    )
  }
  const more = limitedClients.length - shown.length
  if (more > 0) lines.push(`and ${count(more)} more: --top ${limitedClients.length}`)
  return `${lines.join('\n')}\n`
}

function row({ client, limited, requests, longestWaitMs, firstLimitedAtMs }: ClientReplay) {
  const name = client.length > 24 ? `${client.slice(0, 21)}...` : client
  const wait = longestWaitMs === null ? 'never' : span(longestWaitMs)
  return [name, count(limited), count(requests), wait, instant(firstLimitedAtMs)]
}

function span(ms: number): string {
  return ms < 1000 || ms % 1000 !== 0 ? `${count(ms)} ms` : duration(ms)
}

function instant(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.000Z$/, 'Z')
}
