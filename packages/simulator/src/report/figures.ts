/** A number with separators: `12,345`; `-` for none. */
export function count(value: number | null): string {
  return value === null ? '-' : String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** So many of something: `1 client`, `2,000 clients`, `0 entries`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** A share as a percentage with two digits after the point; `-` for none. */
export function percent(share: number | null): string {
  return share === null ? '-' : `${(share * 100).toFixed(2)}%`
}

/** Whole minutes and hours in words: `1 h`, `1 h 30 min`, `45 s`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  const parts = [
    hours > 0 ? `${hours} h` : '',
    minutes > 0 ? `${minutes} min` : '',
    seconds % 60 > 0 ? `${seconds % 60} s` : '',
  ].filter((part) => part !== '')
  return parts.length === 0 ? '0 s' : parts.join(' ')
}

/**
 * Rows as lines: the first column flush left, the others flush right, two spaces between, no
 * trailing space.
 */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  )
}
