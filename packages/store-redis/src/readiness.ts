import type { RedisClient } from './client.ts'

// Many stores may share one client: each event has one listener on it, whatever their number.

const waits = new WeakMap<RedisClient, Promise<void>>()
const followers = new WeakMap<RedisClient, Set<() => void>>()

/** Resolves once a client is ready or has ended for good. Connects one that waits for its first command. */
export function connected(client: RedisClient): Promise<void> {
  if (client.status === 'ready' || client.status === 'end') return Promise.resolve()
  let wait = waits.get(client)
  if (wait === undefined) {
    wait = new Promise<void>((resolve) => {
      const done = (): void => {
        client.off('ready', done)
        client.off('end', done)
        waits.delete(client)
        resolve()
      }
      client.on('ready', done)
      client.on('end', done)
    })
    waits.set(client, wait)
  }
  // It would refuse its first command, for it queues none.
  if (client.status === 'wait') client.connect().catch(() => {})
  return wait
}

/** Calls back each time a client becomes ready, until what is answered is called. */
export function onReady(client: RedisClient, listener: () => void): () => void {
  let all = followers.get(client)
  if (all === undefined) {
    const made = new Set<() => void>()
    client.on('ready', () => {
      for (const each of made) each()
    })
    followers.set(client, made)
    all = made
  }
  const own = all
  own.add(listener)
  return () => void own.delete(listener)
}
