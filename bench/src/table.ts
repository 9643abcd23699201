import type { Row, Timed } from './group.ts'

/** Most that the medians of one fleet and hint may differ by, over the shares excluded. */
const MOST_RATIO = 5
/** The fleet that the bound is promised for. */
const PROMISED = '1,000,000'

export function printRows(rows: readonly Row[]): void {
  for (const row of rows) {
    const name = row.name.padEnd(50)
    if (row.kind === 'gauge') {
      const bound = row.most === undefined ? '' : `  (at most ${row.most} ${row.unit})`
      console.log(`  ${name} ${row.value.toFixed(1).padStart(9)} ${row.unit}${bound}`)
    } else {
      const spread = `${(row.spread * 100).toFixed(0)} %`
      const cells = [nanos(row.p50Ns), nanos(row.p99Ns), spread, row.samples.toLocaleString('en')]
      console.log(`  ${name} ${cells.map((cell) => cell.padStart(10)).join('')}`)
    }
  }
}

export function printHead(): void {
  const cells = ['median', 'p99', 'spread', 'samples']
  console.log(`  ${''.padEnd(50)} ${cells.map((cell) => cell.padStart(10)).join('')}`)
}

/** Prints how much the excluded share matters, and returns every bound that is broken, in words. */
export function judge(rows: readonly Row[]): string[] {
  const broken: string[] = []
  for (const row of rows) {
    if (row.kind === 'gauge' && row.most !== undefined && row.value > row.most) {
      broken.push(`${row.name}: ${row.value.toFixed(1)} ${row.unit}, at most ${row.most}`)
    }
  }
  for (const [name, medians] of byFleetAndHint(rows)) {
    if (medians.length < 2) continue
    const ratio = Math.max(...medians) / Math.min(...medians)
    console.log(`  ${name.padEnd(50)} ${ratio.toFixed(2).padStart(10)}`)
    if (ratio > MOST_RATIO && name.startsWith(PROMISED)) {
      broken.push(`${name}: slowest share / fastest share is ${ratio.toFixed(1)}`)
    }
  }
  return broken
}

/** `1,000 agents, country` and the medians over its shares. */
function byFleetAndHint(rows: readonly Row[]): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const row of rows.filter((each): each is Timed => each.kind === 'timed')) {
    const [size] = /[\d,]+(?= agents)/.exec(row.group) ?? []
    if (size === undefined) continue
    const name = `${size} agents, ${row.name}`
    found.set(name, [...(found.get(name) ?? []), row.p50Ns])
  }
  return found
}

function nanos(ns: number): string {
  if (ns < 10_000) return `${ns.toFixed(0)} ns`
  return ns < 10_000_000 ? `${(ns / 1e3).toFixed(1)} us` : `${(ns / 1e6).toFixed(1)} ms`
}
