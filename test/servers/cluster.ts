import { freeClusterPorts } from './ports.ts'
import { startRedis, type RedisServer } from './redis.ts'
import { openMove, type SlotMove } from './cluster-move.ts'
import { all, isPrimary, layoutOf, runningOf, tableOf } from './cluster-nodes.ts'
import { replication } from './replicated.ts'
import { until } from './until.ts'

const SHARDS = 3
const SLOTS = 16_384
/** After so long a silence a node is suspected. Short for quick failovers, and longer than two busy cores hold a process up. */
const NODE_TIMEOUT_MS = 1_000

export interface RedisCluster {
  /** 0 to 2 begin as primaries; n + 3 is the replica of n. Together they are shard n. */
  readonly nodes: readonly RedisServer[]
  /** Where a client may begin. */
  readonly urls: readonly string[]
  /** Which node leads a shard now. */
  primaryOf(shard: number): Promise<RedisServer>
  slotOf(key: string): Promise<number>
  /** Which shard serves a slot now. */
  shardOf(slot: number): Promise<number>
  /** The shard's replica takes over: `handover` loses nothing, `crash` kills the primary and waits for the election. */
  failover(shard: number, how?: 'handover' | 'crash'): Promise<void>
  openMove(slot: number, toShard: number): Promise<SlotMove>
  /** Moves whole slots with their keys, one after the other. Those that are there already stay. */
  moveSlots(slots: readonly number[], toShard: number): Promise<void>
  /** Resolves when every node that runs sees the cluster up, with as many nodes as run, and all of them the same layout. */
  settled(): Promise<void>
  stop(): Promise<void>
}

/** Starts three primaries, each with a replica, on loopback, and waits until all say that the cluster is up: 2 to 3 s. */
export async function startCluster(): Promise<RedisCluster> {
  const ports = await freeClusterPorts(2 * SHARDS)
  const nodes = await Promise.all(ports.map(startNode))
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    await join(nodes)
    const cluster = clusterOf(nodes, stop)
    await cluster.settled()
    return cluster
  } catch (error) {
    await stop()
    throw error
  }
}

function startNode(port: number): Promise<RedisServer> {
  const flags = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': NODE_TIMEOUT_MS,
    'cluster-announce-ip': '127.0.0.1',
    // A replica stands for election however long it has been without its primary.
    'cluster-replica-validity-factor': 0,
    'repl-diskless-sync-delay': 0,
  }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`])
  return startRedis({ port, args })
}

/** Gives out the slots, introduces everybody to everybody, and the replicas to their primaries. */
async function join(nodes: readonly RedisServer[]): Promise<void> {
  for (let shard = 0; shard < SHARDS; shard++) {
    const from = Math.ceil((shard * SLOTS) / SHARDS)
    const to = Math.ceil(((shard + 1) * SLOTS) / SHARDS)
    const slots = Array.from({ length: to - from }, (_, i) => from + i)
    await nodes[shard].ask('CLUSTER', 'ADDSLOTS', ...slots)
    await nodes[shard].ask('CLUSTER', 'SET-CONFIG-EPOCH', shard + 1)
  }
  for (const [i, node] of nodes.entries()) {
    for (const { port } of nodes.slice(i + 1)) {
      await node.ask('CLUSTER', 'MEET', '127.0.0.1', port)
    }
  }
  await until('all nodes know each other', () => all(nodes, isAcquainted))
  for (let shard = 0; shard < SHARDS; shard++) {
    const id = String(await nodes[shard].ask('CLUSTER', 'MYID'))
    await nodes[shard + SHARDS].ask('CLUSTER', 'REPLICATE', id)
  }
}

async function isAcquainted(node: RedisServer): Promise<boolean> {
  const lines = await tableOf(node)
  return lines.length === 2 * SHARDS && lines.every(({ flags }) => !flags.includes('handshake'))
}

function clusterOf(nodes: readonly RedisServer[], stop: () => Promise<void>): RedisCluster {
  const shardNodes = (shard: number): readonly RedisServer[] => {
    if (shard in nodes && shard < SHARDS) return [nodes[shard], nodes[shard + SHARDS]]
    throw new Error(`shard must be 0 to ${SHARDS - 1}, got ${shard}`)
  }
  const primaryOf = async (shard: number): Promise<RedisServer> => {
    for (const node of shardNodes(shard)) if (await isPrimary(node)) return node
    throw new Error(`nobody leads shard ${shard}`)
  }
  const shardOf = async (slot: number): Promise<number> => {
    for (let shard = 0; shard < SHARDS; shard++) {
      const own = (await tableOf(await primaryOf(shard))).find(({ flags }) =>
        flags.includes('myself'),
      )
      if (own?.slots.some(([from, to]) => from <= slot && slot <= to)) return shard
    }
    throw new Error(`no shard serves slot ${slot}`)
  }
  const open = async (slot: number, toShard: number): Promise<SlotMove> => {
    const from = await primaryOf(await shardOf(slot))
    const to = await primaryOf(toShard)
    if (from === to) throw new Error(`slot ${slot} is at shard ${toShard} already`)
    const others = (await runningOf(nodes)).filter((node) => node !== to && node !== from)
    return openMove(slot, from, to, others)
  }
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    primaryOf,
    slotOf: async (key) => Number(await (await runningOf(nodes))[0].ask('CLUSTER', 'KEYSLOT', key)),
    shardOf,
    failover: async (shard, how = 'handover') => {
      const old = await primaryOf(shard)
      const next = shardNodes(shard).find((node) => node !== old)
      if (next === undefined) throw new Error(`shard ${shard} has no other node`)
      // Who claims slots by an old layout gets no votes, and who is not known as a replica is not heard: neither asks again.
      await settled(nodes)
      if (how === 'crash') await old.kill()
      else await next.ask('CLUSTER', 'FAILOVER')
      const isOver = async (): Promise<boolean> =>
        (await isPrimary(next)) && !(await isPrimary(old))
      await until(`${next.url} alone leads shard ${shard}`, isOver, 20_000)
    },
    openMove: open,
    moveSlots: async (slots, toShard) => {
      for (const slot of slots) {
        if ((await shardOf(slot)) !== toShard) await (await open(slot, toShard)).finish()
      }
    },
    settled: () => settled(nodes),
    stop,
  }
}

async function settled(nodes: readonly RedisServer[]): Promise<void> {
  const running = await runningOf(nodes)
  const isUp = async (node: RedisServer): Promise<boolean> => {
    const info = String(await node.ask('CLUSTER', 'INFO'))
    if (!info.includes('cluster_state:ok')) return false
    const lines = await tableOf(node)
    const well = lines.filter(({ flags }) => !flags.some((flag) => flag.startsWith('fail')))
    if (well.length !== running.length) return false
    const said = await replication(node)
    return said.get('role') === 'master' || said.get('master_link_status') === 'up'
  }
  const isSettled = async (): Promise<boolean> => {
    const layouts = await Promise.all(running.map(layoutOf))
    return layouts.every((layout) => layout === layouts[0]) && all(running, isUp)
  }
  await until('every node says that the cluster is up, and the same of it', isSettled, 20_000)
}
