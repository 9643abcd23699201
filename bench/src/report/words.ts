import type { Bound, Unit } from '../case.ts'

/** Three figures that matter, thousands apart. */
export function number(value: number): string {
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

/** A number with its unit; nanoseconds in the unit that suits them. */
export function shown(value: number, unit: Unit): string {
  if (unit !== 'ns') return `${number(value)} ${unit}`
  if (Math.abs(value) < 10_000) return `${number(value)} ns`
  return Math.abs(value) < 10_000_000 ? `${number(value / 1e3)} us` : `${number(value / 1e6)} ms`
}

/** What is promised, in words: `ostler: at most 2 times Map.get and a write`. The unit is null where it was not measured. */
export function boundWords(bound: Bound, unit: Unit | null = 'ns'): string {
  const { row, of: measure, against, table, faster, beyond, most, least } = bound
  const subject = row === '*' ? 'each of ours' : row
  const what = measure === undefined || measure === 'value' ? '' : `, ${measure}`
  const extra = beyond === undefined ? '' : ` beyond ${beyond.join(' and ')}`
  const side = least === undefined ? 'at most' : 'at least'
  const value = least ?? most ?? 0
  const names = typeof against === 'string' ? against : against?.join(' or ')
  const other = names ?? (table === undefined ? null : `its like in "${table}"`)
  if (other === null) {
    return `${subject}${what}${extra}: ${side} ${unit === null ? number(value) : shown(value, unit)}`
  }
  const times = faster === true ? 'times as fast as' : 'times'
  return `${subject}${what}${extra}: ${side} ${number(value)} ${times} ${other}`
}
