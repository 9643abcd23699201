import type { Checkup, StoreCheckup } from './checkup.ts'
import type { PackageState } from './packages.ts'
import { redisFacts } from './redis.ts'
import { sqliteFacts } from './sqlite.ts'

const LABEL = 11
const WIDTH = 80

type Fact = readonly [label: string, value: string]

/** A checkup in lines of at most 80 columns, and at the end what is wrong. */
export function checkupText({
  ostler,
  node,
  platform,
  packages,
  store,
  problems,
}: Checkup): string {
  const facts: Fact[] = [
    ['ostler', ostler],
    ['node', `${node.version}, made for ${node.wanted}`],
    ['platform', platform],
    ...packages.map(({ kind, store: own, driver }): Fact => [
      kind,
      own.version === null ? told(own) : `${told(own)} on ${told(driver)}`,
    ]),
  ]
  const storeFacts = store === null ? [] : [['store', store.name] as const, ...factsOf(store)]
  const sections = [facts, storeFacts].filter((section) => section.length > 0)
  const lines = sections.flatMap((section) => [...section.flatMap(lineOf), ''])
  return `${[...lines, ...problemLines(problems)].join('\n')}\n`
}

function told({ name, version, loads }: PackageState): string {
  if (version === null) return `${name} (not installed)`
  return loads ? `${name} ${version}` : `${name} ${version} (does not load)`
}

function factsOf(store: StoreCheckup): readonly Fact[] {
  if (store.kind === 'memory') return [['reachable', 'yes, in each process by itself']]
  if (store.inspection === null) return [['reachable', 'no']]
  if (store.kind === 'sqlite') return sqliteFacts(store.inspection, store.tookMs ?? 0)
  return redisFacts(store.inspection)
}

function problemLines(problems: readonly string[]): string[] {
  if (problems.length === 0) return ['Nothing is wrong.']
  const what =
    problems.length === 1 ? 'One thing is wrong:' : `${problems.length} things are wrong:`
  return [what, ...problems.flatMap((problem) => wrapped(`- ${problem}`, '', '  '))]
}

function lineOf([label, value]: Fact): string[] {
  return wrapped(value, label.padEnd(LABEL), ' '.repeat(LABEL))
}

/** Breaks a text at its spaces; a word that is longer than a line is cut. */
function wrapped(text: string, first: string, rest: string): string[] {
  const most = WIDTH - rest.length
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    const shown = word.length > most ? `${word.slice(0, most - 3)}...` : word
    if (last !== undefined && last.length + 1 + shown.length <= most)
      lines[lines.length - 1] = `${last} ${shown}`
    else lines.push(shown)
  }
  return lines.map((line, i) => (i === 0 ? first : rest) + line)
}
