import type { Redis } from 'ioredis'

/** Names that are looked at, and removed, in one round trip. */
const PORTION = 1_000

/** Removes all names in Redis that begin with a prefix and a colon. Gives how many they were. */
export async function removeNames(url: string, prefix: string): Promise<number> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, { maxRetriesPerRequest: 1, connectTimeout: 5_000 })
  // What goes wrong shows in the commands, which reject.
  client.on('error', () => {})
  try {
    return await removeMatching(client, `${prefix}:*`)
  } finally {
    client.disconnect()
  }
}

async function removeMatching(client: Redis, pattern: string): Promise<number> {
  let removed = 0
  let cursor = '0'
  do {
    const [next, names] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', PORTION)
    if (names.length > 0) removed += await client.unlink(...names)
    cursor = next
  } while (cursor !== '0')
  return removed
}
