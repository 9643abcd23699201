import { createHmac, randomBytes } from 'node:crypto'
import type { Scope } from '@ostler/api'

/** An API key as the gateway knows it: never the key itself. */
export interface ApiKey {
  /** Names the key where it may be read: in logs, limits and lists. */
  readonly id: string
  readonly tier: string
  readonly scopes: readonly Scope[]
  /** What its owner calls it. */
  readonly label?: string
  readonly createdAtMs: number
  readonly revokedAtMs?: number
}

/** An API key as it is kept: by a keyed hash of what its holder presents. */
export interface StoredKey extends ApiKey {
  /** HMAC-SHA-256 of the key under the ring's secret, in hexadecimal. */
  readonly hash: string
}

/** Who finds the key that a caller presents. */
export interface KeyRing {
  /** The key, or null where it is unknown or revoked. Asked on every request: a revoked key is refused at once. */
  find(presented: string): ApiKey | null
}

const FORM = /^ak_(?:live|test)_[A-Za-z0-9_-]{16,64}$/

/** Whether a text looks like a key at all: `ak_live_...` or `ak_test_...`. */
export function isKeyForm(text: string): boolean {
  return FORM.test(text)
}

/** A new key of 192 random bits. It is shown once, and kept nowhere. */
export function newKey(kind: 'live' | 'test'): string {
  return `ak_${kind}_${randomBytes(24).toString('base64url')}`
}

/** What is kept of a key. Without the secret nobody can tell whether a guess is right, not even who has read the file. */
export function hashKey(presented: string, secret: string): string {
  return createHmac('sha256', secret).update(presented).digest('hex')
}
