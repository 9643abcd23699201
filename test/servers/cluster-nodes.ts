import type { RedisServer } from './redis.ts'
import { replication } from './replicated.ts'

export interface NodeLine {
  /** `127.0.0.1:port@busPort`. */
  readonly address: string
  /** `myself`, `master`, `slave`, `fail?`, `fail`, `handshake`. */
  readonly flags: readonly string[]
  /** The id of the primary that it follows; `-` for a primary. */
  readonly follows: string
  /** First and last of each range. */
  readonly slots: readonly (readonly [number, number])[]
}

/** What a node says of all, itself among them. */
export async function tableOf(node: RedisServer): Promise<readonly NodeLine[]> {
  const lines = String(await node.ask('CLUSTER', 'NODES'))
    .trim()
    .split('\n')
  return lines.map((line) => {
    const [, address, flags, follows, , , , , ...slots] = line.split(' ')
    const ranges = slots.filter((range) => !range.startsWith('['))
    return {
      address,
      follows,
      flags: flags.split(','),
      slots: ranges.map((range) => {
        const [from, to = from] = range.split('-').map(Number)
        return [from, to] as const
      }),
    }
  })
}

export async function isPrimary(node: RedisServer): Promise<boolean> {
  try {
    return (await replication(node)).get('role') === 'master'
  } catch {
    return false
  }
}

/** Those that answer. */
export async function runningOf(nodes: readonly RedisServer[]): Promise<readonly RedisServer[]> {
  const answers = await Promise.all(
    nodes.map((node) =>
      node.ask('PING').then(
        () => true,
        () => false,
      ),
    ),
  )
  return nodes.filter((_, i) => answers[i])
}

export async function all<T>(
  of: readonly T[],
  holds: (one: T) => Promise<boolean>,
): Promise<boolean> {
  return (await Promise.all(of.map(holds))).every(Boolean)
}

/** Who serves what and who follows whom, as a node sees it: equal at all nodes once news of a change has gone round. */
export async function layoutOf(node: RedisServer): Promise<string> {
  const lines = await tableOf(node)
  return lines
    .map(({ address, follows, slots }) => `${address} ${follows} ${slots.join(' ')}`)
    .sort()
    .join('\n')
}
