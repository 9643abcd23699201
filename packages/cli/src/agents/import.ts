import type { Agent } from '@ostler/core'
import { checkAgents } from './check.ts'
import { isHeader, readCsv } from './csv.ts'
import { Reason } from './endpoint.ts'
import type { Draft, Entry, Reading } from './entry.ts'
import { readJsonAgents } from './json.ts'
import { readLines } from './text.ts'

export const FORMATS = ['text', 'csv', 'json'] as const
export type Format = (typeof FORMATS)[number]

/** What came of a file. Every entry is an agent, or folded into one, or bad. */
export interface Imported {
  readonly format: Format
  readonly entries: number
  readonly agents: readonly Agent[]
  readonly exits: number
  readonly folded: readonly string[]
  readonly bad: readonly string[]
  readonly notes: readonly string[]
}

export interface ImportOptions {
  /** Default: seen from the file. */
  readonly format?: Format
  /** For lines without one. Default `http`. */
  readonly scheme?: string
}

/**
 * Reads agents from a file's text. Of entries with one key the first holds; what it lacks is taken
 * from the later ones.
 * @throws CliFailure USAGE when the file as a whole is not what it should be.
 */
export function importAgents(text: string, options: ImportOptions = {}): Imported {
  const plain = text.replace(/^\uFEFF/, '')
  const format = options.format ?? formatOf(plain)
  const { entries, notes } = readAs(format, plain, options.scheme ?? 'http')
  const bad: string[] = []
  const folded: string[] = []
  const drafts = fold(checked(entries, bad), folded)
  const agents = numbered(drafts, bad)
  return {
    format,
    entries: entries.length,
    agents,
    exits: new Set(agents.map(({ id, exitIp }) => exitIp ?? id)).size,
    folded,
    bad,
    notes,
  }
}

function readAs(format: Format, text: string, scheme: string): Reading {
  switch (format) {
    case 'text':
      return readLines(text, scheme)
    case 'csv':
      return readCsv(text, scheme)
    case 'json':
      return readJsonAgents(text, scheme)
    default:
      return format satisfies never
  }
}

function formatOf(text: string): Format {
  const start = text.trimStart()
  if (/^(\{|\[(?![0-9a-f:]))/i.test(start)) return 'json'
  const [line] = start.split(/\r\n|\n|\r/, 1)
  return isHeader(line) ? 'csv' : 'text'
}

interface Placed extends Draft {
  readonly at: string
}

/** The drafts that the scheduler would take; the others are bad. */
function checked(entries: readonly Entry[], bad: string[]): Placed[] {
  const placed: Placed[] = []
  const reasons = checkAgents(
    entries.map(({ read }) => (read instanceof Reason ? null : read.agent)),
  )
  entries.forEach(({ at, read }, i) => {
    const reason = read instanceof Reason ? read.text : reasons[i]
    if (reason !== null) bad.push(`${at}: ${reason}`)
    else placed.push({ ...(read as Draft), at })
  })
  return placed
}

function fold(drafts: readonly Placed[], folded: string[]): Placed[] {
  const byKey = new Map<string, Placed>()
  for (const draft of drafts) {
    const first = byKey.get(draft.key)
    if (first === undefined) {
      byKey.set(draft.key, draft)
      continue
    }
    const differs = Object.entries(draft.agent)
      .filter(([name, value]) => {
        const held = (first.agent as unknown as Record<string, unknown>)[name]
        return held !== undefined && JSON.stringify(held) !== JSON.stringify(value)
      })
      .map(([name]) => name)
    const note = differs.length === 0 ? '' : `; differs in ${differs.join(', ')}, the first holds`
    folded.push(`${draft.at}: the agent of ${first.at}${note}`)
    byKey.set(draft.key, { ...first, agent: { ...draft.agent, ...first.agent } })
  }
  return [...byKey.values()]
}

/**
 * Gives ids that were made up a number where they meet (one address, several users); those that
 * files give must not meet.
 */
function numbered(drafts: readonly Placed[], bad: string[]): Agent[] {
  const taken = new Set(drafts.filter((draft) => draft.named).map((draft) => draft.agent.id))
  const agents = drafts.map(({ agent, named }) => {
    if (named) return agent
    let id = agent.id
    for (let n = 2; taken.has(id); n++) id = `${agent.id}#${n}`
    taken.add(id)
    return id === agent.id ? agent : { ...agent, id }
  })
  const reasons = checkAgents(agents)
  return agents.filter((_, i) => {
    const reason = reasons[i]
    if (reason !== null) bad.push(`${drafts[i].at}: ${reason}`)
    return reason === null
  })
}
