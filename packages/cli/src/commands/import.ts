import type { Agent } from '@ostler/core'
import { count, counted } from '@ostler/simulator'
import { Option, type Command } from 'commander'
import { SCHEMES } from '../agents/endpoint.ts'
import { FORMATS, importAgents, type Format, type Imported } from '../agents/import.ts'
import { CliFailure, usage } from '../failure.ts'
import { nameOf, readText, writeText } from '../files.ts'
import type { Io } from '../io.ts'

interface Options {
  readonly format?: Format
  readonly scheme: string
  readonly out?: string
  readonly strict?: true
}

/** `ostler import`: agents from a list, checked, duplicates folded, written for `--agents`. */
export function importCommand(ostler: Command, io: Io): void {
  ostler
    .command('import')
    .description('read agents from a list, fold duplicates, report bad lines, write JSON')
    .argument('<file>', 'lines (host:port[:user:pass] or URLs), CSV with a header row, or JSON')
    .addOption(new Option('--format <name>', 'default: seen from the file').choices(FORMATS))
    .addOption(
      new Option('--scheme <name>', 'for lines without one').choices(SCHEMES).default('http'),
    )
    .option('--out <file>', 'write the agents as JSON (- for standard output), with credentials')
    .option('--strict', 'write nothing and exit with 2 if any line is bad')
    .addHelpText(
      'after',
      '\nTwo entries are one agent when they have one id or, without ids, one scheme,\n' +
        'user, host and port: the first holds, and what it lacks is filled in from the\n' +
        'later ones. CSV names url, or host and port, or id for agents without url.\n' +
        'Exits with 2 when the file holds no agent at all.',
    )
    .action(async (path: string, options: Options) => {
      const imported = await readAgents(io, path, options)
      complain(io, imported)
      if (options.strict && imported.bad.length > 0) {
        throw usage(
          `${nameOf(path)} has ${counted(imported.bad.length, 'bad entry', 'bad entries')}, and --strict is set`,
        )
      }
      const json = `${JSON.stringify(imported.agents, null, 1)}\n`
      const { out } = options
      if (out !== undefined && out !== '-') writeText(out, json, true)
      if (out === '-') io.out(json)
      const report = summary(imported, out)
      if (out === '-') io.err(report)
      else io.out(report)
    })
}

/**
 * Reads agents from any file that `import` takes. @throws CliFailure USAGE when there is none in
 * it.
 */
export async function readAgents(
  io: Io,
  path: string,
  options: { readonly format?: Format; readonly scheme?: string } = {},
): Promise<Imported> {
  const text = await readText(io, path)
  let imported: Imported
  try {
    imported = importAgents(text, options)
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error
    throw usage(`${nameOf(path)}: ${error.message}`, error)
  }
  if (imported.agents.length > 0) return imported
  complain(io, imported)
  throw usage(`${nameOf(path)} has no agent in it`)
}

/** Names every entry that did not become an agent of its own, on standard error. */
export function complain(io: Io, { bad, folded, notes }: Imported): void {
  for (const line of [...notes, ...bad, ...folded]) io.err(`${line}\n`)
}

function summary(imported: Imported, out: string | undefined): string {
  const { agents, bad, folded } = imported
  const lines = [
    `${counted(agents.length, 'agent')}, ${counted(imported.exits, 'exit')}`,
    `  read       ${counted(imported.entries, 'entry', 'entries')} of ${imported.format}`,
    `  folded     ${counted(folded.length, 'duplicate')}`,
    `  bad        ${count(bad.length)}`,
    `  countries  ${countriesOf(agents)}`,
  ]
  if (out === undefined) lines.push('  written    nowhere: --out FILE writes them for --agents')
  else if (out !== '-') lines.push(`  written    ${out}`)
  return `${lines.join('\n')}\n`
}

function countriesOf(agents: readonly Agent[]): string {
  const counts = new Map<string, number>()
  for (const { country = 'unknown' } of agents) {
    counts.set(country, (counts.get(country) ?? 0) + 1)
  }
  const most = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
  const shown = most.slice(0, 6).map(([country, n]) => `${country} ${count(n)}`)
  const rest = most.length - shown.length
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}
