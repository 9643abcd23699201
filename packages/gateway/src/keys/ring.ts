import { timingSafeEqual } from 'node:crypto'
import { hashKey, isKeyForm, type ApiKey, type KeyRing, type StoredKey } from './key.ts'

/** A ring of keys in memory. */
export function keyRing(keys: readonly StoredKey[], secret: string): KeyRing {
  const byHash = new Map(keys.map((key) => [key.hash, key]))
  return {
    find(presented: string): ApiKey | null {
      if (!isKeyForm(presented)) return null
      const hash = hashKey(presented, secret)
      const found = byHash.get(hash)
      if (found === undefined || found.revokedAtMs !== undefined) return null
      // The table found it by its hash, in a time that tells at most about hashes; the verdict itself takes the same time always.
      return timingSafeEqual(Buffer.from(found.hash), Buffer.from(hash)) ? found : null
    },
  }
}
