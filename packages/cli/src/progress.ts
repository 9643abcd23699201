import type { Io } from './io.ts'

const WIDTH = 30

/**
 * A bar on a terminal's standard error, drawn over itself and wiped out at the end. Where standard
 * error is no terminal, a line for each new label if `plainly` asks for it, and else nothing.
 */
export class ProgressBar {
  readonly #io: Io
  readonly #plainly: boolean
  #drawn = ''
  #label = ''

  constructor(io: Io, plainly = false) {
    this.#io = io
    this.#plainly = plainly
  }

  show(label: string, done: number, total: number): void {
    if (!this.#io.isTerminal) {
      if (this.#plainly && label !== this.#label) this.#io.err(`${label} ...\n`)
      this.#label = label
      return
    }
    const share = total === 0 ? 1 : Math.min(1, done / total)
    const full = Math.round(share * WIDTH)
    const percent = String(Math.floor(share * 100)).padStart(3)
    const line = `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${percent}%  ${label}`
    if (line === this.#drawn) return
    this.#io.err(`\r${line}\x1b[K`)
    this.#drawn = line
  }

  clear(): void {
    if (this.#drawn !== '') this.#io.err('\r\x1b[K')
    this.#drawn = ''
  }
}
