// hot path: every pick looks up its domain and its hint.

/**
 * What was worked out lately, by key: at least the last `most` that were asked for or set, and never more than twice as many. Two generations in
 * place of a list in order of use: a look-up is one look into a Map, and what the younger one lacks moves there from the elder.
 */
export class Remembered<V extends object | string> {
  readonly #most: number
  #young: Map<string, V> = new Map()
  #old: Map<string, V> = new Map()

  constructor(most: number) {
    this.#most = most
  }

  get(key: string): V | undefined {
    const value = this.#young.get(key)
    return value === undefined ? this.#fromOld(key) : value
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  #fromOld(key: string): V | undefined {
    const value = this.#old.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }
}
