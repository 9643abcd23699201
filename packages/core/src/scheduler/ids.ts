// hot path: every pick names its lease.

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_'
const PAIRS: readonly string[] = Array.from(DIGITS).flatMap((a) => Array.from(DIGITS, (b) => a + b))

/**
 * Names of leases, and of what else a scheduler names: told apart from other schedulers' by 36 random bits and a count of 36 bits that
 * starts at random. Twelve characters: longer strings are joined only when they are read, which costs more than all the rest.
 */
export function idsOf(random: () => number): () => string {
  const pair = (): string => PAIRS[Math.floor(random() * PAIRS.length)]
  let instance = pair() + pair() + pair()
  // Small integers, as a larger count would be a double, made anew by each id.
  let block = Math.floor(random() * PAIRS.length * PAIRS.length)
  let prefix = prefixOf(instance, block)
  let next = 0
  return () => {
    if (next === PAIRS.length) {
      next = 0
      block = (block + 1) % (PAIRS.length * PAIRS.length)
      if (block === 0) instance = pair() + pair() + pair()
      prefix = prefixOf(instance, block)
    }
    return prefix + PAIRS[next++]
  }
}

function prefixOf(instance: string, block: number): string {
  return instance + PAIRS[Math.floor(block / PAIRS.length)] + PAIRS[block % PAIRS.length]
}
