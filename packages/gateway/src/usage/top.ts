/** How often a name came, at least about. */
export interface Counted {
  readonly name: string
  readonly count: number
}

/**
 * The most frequent of any number of names, in bounded memory: Space-Saving (A. Metwally, D. Agrawal, A. El Abbadi, 2005). A name
 * that is not among those counted takes the place of the least frequent one and goes on from its count. A name that comes more
 * often than every `size`-th time is always among them. O(size) for a name that is new, O(1) else.
 */
export class TopNames {
  readonly #counts = new Map<string, number>()
  readonly #size: number

  constructor(size: number) {
    this.#size = size
  }

  add(name: string): void {
    const known = this.#counts.get(name)
    if (known !== undefined) this.#counts.set(name, known + 1)
    else if (this.#counts.size < this.#size) this.#counts.set(name, 1)
    else this.#counts.set(name, this.#takeLeast() + 1)
  }

  /** The most frequent, the most frequent first. */
  top(most: number): readonly Counted[] {
    return [...this.#counts]
      .map(([name, count]) => ({ name, count }))
      .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
      .slice(0, most)
  }

  #takeLeast(): number {
    let least = Infinity
    let leastName = ''
    for (const [name, count] of this.#counts) {
      if (count >= least) continue
      least = count
      leastName = name
    }
    this.#counts.delete(leastName)
    return least
  }
}
