/** A line of a chart: its values from left to right; null leaves a gap. */
export interface Line {
  readonly name: string
  readonly values: readonly (number | null)[]
}

// Okabe and Ito's palette: told apart by nearly everybody.
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000']

const WIDTH = 860
const HEIGHT = 260
const LEFT = 68
const RIGHT = 16
const TOP = 14
const BOTTOM = 30

/** The colour of the n-th policy, in charts and legends alike. */
export function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length]
}

/** A line chart as SVG; x is minutes from the beginning, y is from `least` to `most`. */
export function lineChart(
  lines: readonly Line[],
  least: number,
  most: number,
  label: (value: number) => string,
): string {
  const length = Math.max(2, ...lines.map((line) => line.values.length))
  const across = (i: number) => LEFT + ((WIDTH - LEFT - RIGHT) * i) / (length - 1)
  const up = (value: number) =>
    HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - least)) / (most - least || 1)
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = least + (most - least) * share
    const y = up(value).toFixed(1)
    return (
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" class="grid"/>` +
      `<text x="${LEFT - 8}" y="${y}" class="y">${label(value)}</text>`
    )
  })
  const step = Math.max(1, Math.ceil(length / 6 / 5) * 5)
  const ticks: string[] = []
  for (let i = 0; i < length; i += step) {
    ticks.push(`<text x="${across(i).toFixed(1)}" y="${HEIGHT - 8}" class="x">${i} min</text>`)
  }
  const paths = lines.map((line, index) => {
    let pen = 'M'
    const points = line.values.map((value, i) => {
      if (value === null) {
        pen = 'M'
        return ''
      }
      const point = `${pen}${across(i).toFixed(1)} ${up(value).toFixed(1)}`
      pen = 'L'
      return point
    })
    return `<path d="${points.join('')}" stroke="${colourOf(index)}" class="line"/>`
  })
  const marks = [...grid, ...ticks, ...paths].join('')
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${marks}</svg>`
}

/** Horizontal bars from 0 to `most`, one for each line's only value. */
export function barChart(
  bars: readonly { readonly name: string; readonly value: number }[],
  label: (value: number) => string,
): string {
  const most = Math.max(1e-9, ...bars.map((bar) => bar.value))
  const height = bars.length * 30 + 6
  const rows = bars.map(({ name, value }, i) => {
    const y = i * 30 + 6
    const width = ((WIDTH - 300) * value) / most
    return (
      `<text x="120" y="${y + 12}" class="y">${escapeHtml(name)}</text>` +
      `<rect x="130" y="${y}" width="${width.toFixed(1)}" height="22" rx="2" ` +
      `fill="${colourOf(i)}"/>` +
      `<text x="${(138 + width).toFixed(1)}" y="${y + 12}" class="v">${label(value)}</text>`
    )
  })
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">${rows.join('')}</svg>`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
