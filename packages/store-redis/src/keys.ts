import { hash } from 'node:crypto'

/**
 * The names of what is kept. What stands in a name is hashed: no key, permit or operation of a
 * caller ever reaches Redis. What one decision touches has one hash tag, and so one Cluster slot.
 */
export class Keys {
  /** Where changes are published. */
  readonly channel: string
  readonly #prefix: string

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

  /** 128 bits of a key's SHA-256, in base64url: 22 characters. */
  digest(key: string): string {
    return hashed(key)
  }
}

/** 128 bits of a text's SHA-256, in base64url. */
export function hashed(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22)
}
