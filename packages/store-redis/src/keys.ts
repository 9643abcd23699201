import { hash } from 'node:crypto'

/** The most digests that are remembered. */
const MOST_DIGESTS = 20_000

/**
 * The names of what is kept. What stands in a name is hashed: no key, permit or operation of a
 * caller ever reaches Redis. What one decision touches has one hash tag, and so one Cluster slot.
 */
export class Keys {
  /** Where changes are published. */
  readonly channel: string
  readonly #prefix: string
  readonly #digests = new Map<string, string>()

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

  /** 128 bits of the text's SHA-256, in base64url: 22 characters. Remembers the last few. */
  digest(text: string): string {
    const known = this.#digests.get(text)
    if (known !== undefined) return known
    if (this.#digests.size >= MOST_DIGESTS) this.#digests.clear()
    const digest = hashed(text)
    this.#digests.set(text, digest)
    return digest
  }
}

/** 128 bits of a text's SHA-256, in base64url. */
export function hashed(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}
