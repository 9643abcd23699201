import type { Redis } from 'ioredis'
import { isCluster, Link, openClient, type RedisClient } from './client.ts'
import { bare } from './failures.ts'
import { infoFields, inspectNode, type NodeInspection } from './inspect-node.ts'

/** What a look at a Redis server or Cluster has shown. */
export interface Inspection {
  /** Every primary that the client knows; one without Cluster. */
  readonly nodes: readonly NodeInspection[]
  /** What `CLUSTER INFO` says, `ok` where all is well; null without Cluster. */
  readonly clusterState: string | null
  /** What keeps Ostler's promises from being kept, in words; empty where nothing was found. */
  readonly problems: readonly string[]
  /** What could not be told, and why. */
  readonly unknown: readonly string[]
}

/** Settings of a client that the store counts on, by how ioredis names them. */
interface ClientSettings {
  readonly maxRetriesPerRequest?: unknown
  readonly enableOfflineQueue?: unknown
  readonly autoResendUnfulfilledCommands?: unknown
  readonly socketTimeout?: unknown
  readonly keyPrefix?: unknown
}

/**
 * Looks at what `ostler doctor` wants to know: kind and version of the server, eviction,
 * persistence, scripts, replicas, round trip, clocks, and the client's own settings. Asks only
 * (INFO, CONFIG GET, TIME, PING, one EVAL of a constant). Never throws: what is forbidden or out of
 * reach is said in the answer.
 */
export async function inspect(target: RedisClient | string): Promise<Inspection> {
  const own = typeof target === 'string'
  const link = new Link(own ? openClient(target, 1_000) : target, own, 1_000)
  try {
    await link.starting
    if (!link.ready) return { ...NOTHING, problems: [link.absent().message] }
    return await look(link.client)
  } catch (error) {
    return { ...NOTHING, problems: [`Redis could not be asked: ${bare(error).message}`] }
  } finally {
    link.close()
  }
}

const NOTHING: Inspection = { nodes: [], clusterState: null, problems: [], unknown: [] }

async function look(client: RedisClient): Promise<Inspection> {
  const cluster = isCluster(client)
  const primaries: Redis[] = cluster ? client.nodes('master') : [client]
  const looked = await Promise.all(primaries.map((node) => inspectNode(node, cluster)))
  const problems = clientProblems(client)
  const unknown: string[] = []
  for (const each of looked) {
    problems.push(...each.problems)
    unknown.push(...each.unknown)
  }
  let clusterState: string | null = null
  if (cluster) {
    const info = await client.cluster('INFO').catch((error: unknown) => {
      unknown.push(`the state of the Cluster: ${bare(error).message}`)
      return ''
    })
    clusterState = infoFields(info).get('cluster_state') ?? null
    if (clusterState !== null && clusterState !== 'ok') {
      problems.push(`the Cluster's state is ${clusterState}: some keys have no primary`)
    }
  }
  return { nodes: looked.map(({ node }) => node), clusterState, problems, unknown }
}

/** What a client of the caller's is set to that breaks the budget, or counts a call twice. */
function clientProblems(client: RedisClient): string[] {
  const problems: string[] = []
  const top: ClientSettings = client.options
  const each: ClientSettings = isCluster(client) ? (client.options.redisOptions ?? {}) : top
  if (top.enableOfflineQueue !== false) {
    problems.push('client: enableOfflineQueue is not false: commands wait for a connection')
  }
  if (each.maxRetriesPerRequest !== 0) {
    problems.push('client: maxRetriesPerRequest is not 0: commands outlive their connection')
  }
  if (each.autoResendUnfulfilledCommands !== false) {
    const why = 'a command may be sent twice, and count twice'
    problems.push(`client: autoResendUnfulfilledCommands is not false: ${why}`)
  }
  if (typeof each.socketTimeout !== 'number') {
    problems.push('client: socketTimeout is not set: a silent server is noticed late')
  }
  if (isCluster(client) && client.options.retryDelayOnFailover !== 0) {
    const why = 'a call cut off by a lost connection is sent again, and may count twice'
    problems.push(`client: retryDelayOnFailover is not 0: ${why}`)
  }
  if (typeof top.keyPrefix === 'string' && /[{}]/.test(top.keyPrefix)) {
    problems.push('client: keyPrefix has braces: keys of one decision need a hash tag of their own')
  }
  return problems
}
