import { hash } from 'node:crypto'

/** The most keys whose names are remembered: twice this many, for they are forgotten by half. */
const MOST_RECENT = 500

/** What is known of a limited key. */
export interface KeyNames {
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
  /** Those asked for since the others were, and the others: these make room. */
  #recent = new Map<string, KeyNames>()
  #others = new Map<string, KeyNames>()

  constructor(prefix: string) {
    this.#prefix = prefix
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

  /** What is known of a limited key. Remembers the last few. O(1) */
  of(key: string): KeyNames {
    let known = this.#recent.get(key)
    if (known !== undefined) return known
    known = this.#others.get(key) ?? this.#made(key)
    if (this.#recent.size >= MOST_RECENT) {
      this.#others = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(key, known)
    return known
  }

  /** The names of a key that end in some suffixes. Remembers the last ones. O(suffixes) */
  named(known: KeyNames, suffixes: readonly string[]): readonly string[] {
    if (known.suffixes === suffixes) return known.names
    known.suffixes = suffixes
    known.names = suffixes.map((suffix) => known.head + suffix)
    return known.names
  }

  /** 128 bits of a key's SHA-256, in base64url: 22 characters. */
  digest(key: string): string {
    return this.of(key).digest
  }

  #made(key: string): KeyNames {
    const digest = hashed(key)
    return { digest, head: this.limit(digest, ''), suffixes: NONE, names: NONE }
  }
}

/** 128 bits of a text's SHA-256, in base64url. */
export function hashed(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}
