import { startRedis, type RedisServer } from './redis.ts'
import { until } from './until.ts'

export interface Replicated {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Whether the replica has all that the primary has written. */
  isInSync(): Promise<boolean>
  /** From now on nothing reaches the replica: what the primary acknowledges is lost once the replica is promoted. */
  cutOff(): Promise<void>
  /** Makes the replica a primary, with what it has. The old primary is neither told nor ended. */
  promote(): Promise<void>
  stop(): Promise<void>
}

/** Starts a primary and a replica that is in sync with it. Nothing fails over by itself. */
export async function startReplicated(): Promise<Replicated> {
  const primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${primary.port}`] })
  const stop = async (): Promise<void> => {
    await Promise.all([primary.stop(), replica.stop()])
  }

  const isInSync = async (): Promise<boolean> => {
    const [written, seen] = [await replication(primary), await replication(replica)]
    const isUp = seen.get('master_link_status') === 'up'
    return isUp && seen.get('slave_repl_offset') === written.get('master_repl_offset')
  }

  try {
    await until('the replica is in sync', isInSync)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    primary,
    replica,
    isInSync,
    cutOff: async () => {
      // It keeps its data until another primary sends some, and on port 1 there is none.
      await replica.ask('REPLICAOF', '127.0.0.1', 1)
    },
    promote: async () => {
      await replica.ask('REPLICAOF', 'NO', 'ONE')
      await until('the replica is a primary', async () => {
        return (await replication(replica)).get('role') === 'master'
      })
    },
    stop,
  }
}

/** What INFO says of a server's replication. */
export async function replication(server: RedisServer): Promise<Map<string, string>> {
  const text = String(await server.ask('INFO', 'replication'))
  const pairs = text.split('\r\n').map((line) => line.split(':', 2))
  return new Map(pairs.filter((pair): pair is [string, string] => pair.length === 2))
}
