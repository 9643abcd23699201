import { isPrimary } from './cluster-nodes.ts'
import type { RedisServer } from './redis.ts'

/** A slot on its way from one shard to another: keys that are gone answer ASK, keys that are split over both TRYAGAIN. */
export interface SlotMove {
  /** Brings some keys over, by default all. Answers how many there were. */
  migrate(most?: number): Promise<number>
  /** Brings the rest, and gives the slot to its new shard: from then on the old one answers MOVED. */
  finish(): Promise<void>
}

/** Begins a move. `others` are told at its end; a node that is not learns it from the taker. */
export async function openMove(
  slot: number,
  from: RedisServer,
  to: RedisServer,
  others: readonly RedisServer[],
): Promise<SlotMove> {
  const [fromId, toId] = [await from.ask('CLUSTER', 'MYID'), await to.ask('CLUSTER', 'MYID')]
  // The taker first: the giver sends on to it from the moment that it is told.
  await to.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(fromId))
  await from.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(toId))
  const migrate = async (most = 1_000_000): Promise<number> => {
    const keys = (await from.ask('CLUSTER', 'GETKEYSINSLOT', slot, most)) as string[]
    if (keys.length === 0) return 0
    await from.ask('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys)
    return keys.length
  }
  return {
    migrate,
    finish: async () => {
      // All of them before the slot itself: a giver that hears of its new owner drops what it still has. None comes after, for what
      // is missing here is sent on to the taker.
      while ((await migrate()) > 0);
      await to.ask('CLUSTER', 'SETSLOT', slot, 'NODE', String(toId))
      await from.ask('CLUSTER', 'SETSLOT', slot, 'NODE', String(toId))
      for (const node of others) {
        if (await isPrimary(node)) await node.ask('CLUSTER', 'SETSLOT', slot, 'NODE', String(toId))
      }
    },
  }
}
