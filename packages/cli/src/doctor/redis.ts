import type { Inspection, NodeInspection } from '@ostler/store-redis'
import { count, counted } from '@ostler/simulator'
import { redisPackage, type StoreTarget } from '../stores.ts'
import type { Found } from './checkup.ts'

/** Looks at a Redis server by the store's own `inspect`. */
export async function lookAtRedis(target: StoreTarget & { kind: 'redis' }): Promise<Found> {
  const { inspect } = await redisPackage()
  const inspection = await inspect(target.url)
  const { kind, name } = target
  return { store: { kind, name, inspection }, problems: inspection.problems }
}

/** The lines of a report: labels and values. */
export function redisFacts(inspection: Inspection): readonly (readonly [string, string])[] {
  const { nodes, unknown } = inspection
  if (nodes.length === 0) return [['reachable', 'no']]
  return [
    ...nodes.flatMap((node) => nodeFacts(node, nodes.length > 1)),
    ...unknown.map((what) => ['unknown', what] as const),
  ]
}

function nodeFacts(node: NodeInspection, several: boolean): (readonly [string, string])[] {
  const { kind, version, role, connectedReplicas, roundTripMs, skewMs } = node
  const server = kind === null ? 'a server that does not tell its kind' : `${kind} ${version}`
  const replicas = connectedReplicas === null ? '' : `, ${counted(connectedReplicas, 'replica')}`
  return [
    ...(several ? [['node', node.address] as const] : []),
    ['reachable', `yes, ${server}${role === null ? '' : `, ${role}${replicas}`}`],
    ['latency', `${roundTripMs.toFixed(2)} ms, the median of 20 round trips`],
    ['clock', skew(skewMs)],
    ['eviction', eviction(node)],
    ['persists', `append-only file ${onOff(node.aof)}, snapshots ${onOff(node.rdb)}`],
    ['scripts', node.scripts ? 'run' : 'do not run'],
  ]
}

function skew(skewMs: number): string {
  if (skewMs === 0) return "as this host's"
  return `${count(Math.abs(skewMs))} ms ${skewMs > 0 ? 'ahead of' : 'behind'} this host's`
}

function eviction({ maxmemoryPolicy, maxmemoryBytes }: NodeInspection): string {
  const bound = maxmemoryBytes === 0 ? 'no maxmemory' : `maxmemory ${count(maxmemoryBytes)} bytes`
  return `${maxmemoryPolicy ?? 'unknown'}, ${bound}`
}

function onOff(value: boolean | null): string {
  return value === null ? 'unknown' : value ? 'on' : 'off'
}
