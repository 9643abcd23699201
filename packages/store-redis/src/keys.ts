// hot path: every admission is sent under a name that is made, or found again, here.

import { hash } from 'node:crypto'

/** Keys whose names are remembered, a power of two: each key has one place among them. */
const PLACES = 1_024

/** What is known of a limited key. */
export interface KeyNames {
  readonly key: string
  readonly digest: string
  /** What all names of the key begin with. */
  readonly head: string
  /** The suffixes that were asked for last, and the names that they make. */
  suffixes: readonly string[]
  names: readonly string[]
}

const NONE: readonly string[] = []

/**
 * The names of what is kept. What stands in a name is hashed: no key, permit or operation of a
 * caller ever reaches Redis. What one decision touches has one hash tag, and so one Cluster slot.
 */
export class Keys {
  /** Where changes are published. */
  readonly channel: string
  readonly #prefix: string
  /** What all names of limited keys begin with. */
  readonly #limits: string
  readonly #known: (KeyNames | undefined)[] = Array.from({ length: PLACES })

  constructor(prefix: string) {
    this.#prefix = prefix
    this.#limits = `${prefix}:{`
    this.channel = `${prefix}:changes`
  }

  /** A name of a limited key: `<prefix>:{<its digest>}:<rest>`. */
  limit(digest: string, rest: string): string {
    return `${this.#prefix}:{${digest}}:${rest}`
  }

  /** A name of the fleet's health: all of them have one tag. */
  health(rest: string): string {
    return `${this.#prefix}:{health}:${rest}`
  }

  /** What is known of a limited key. Remembers the last ones, but two of one place in turn. O(1) */
  of(key: string): KeyNames {
    const place = placeOf(key)
    const known = this.#known[place]
    if (known !== undefined && known.key === key) return known
    const digest = hashed(key)
    const head = `${this.#limits}${digest}}:`
    return (this.#known[place] = { key, digest, head, suffixes: NONE, names: NONE })
  }

  /** The names of a key that end in some suffixes. Remembers the last ones. O(suffixes) */
  named(known: KeyNames, suffixes: readonly string[]): readonly string[] {
    if (known.suffixes === suffixes) return known.names
    const { head } = known
    known.suffixes = suffixes
    known.names =
      suffixes.length === 1 ? [head + suffixes[0]] : suffixes.map((suffix) => head + suffix)
    return known.names
  }

  /** 128 bits of a key's SHA-256, in base64url: 22 characters. */
  digest(key: string): string {
    return this.of(key).digest
  }
}

/** Where a key is remembered, by some of its characters: a map's lookup costs more than the digest that it saves. */
function placeOf(key: string): number {
  const last = key.length - 1
  const middle = last >> 1
  const ends = key.charCodeAt(last) * 31 + key.charCodeAt(last - 1)
  return ((ends * 31 + key.charCodeAt(middle)) * 31 + key.length) & (PLACES - 1)
}

/** 128 bits of a text's SHA-256, in base64url. */
export function hashed(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}
