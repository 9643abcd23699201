import { Resolver } from 'node:dns/promises'
import { LRUCache } from 'lru-cache'

/** Every address of a host; rejects, or gives none, where there is none. */
export type ResolveHost = (host: string, signal: AbortSignal) => Promise<readonly string[]>

/** How long a name server may take, and how often it is asked. */
const PATIENCE = { timeout: 2_000, tries: 2 }
/** The longest that an answer is kept, whatever it says. */
const MOST_KEPT_MS = 30_000
const MOST_KEPT_HOSTS = 10_000
/** Of all hosts: whoever owns one decides how many it has. */
const MOST_KEPT_ADDRESSES = 100_000

export interface DnsOptions {
  /** Name servers, as `address:port`. Default: the system's. */
  readonly servers?: readonly string[]
  /** What the age of answers is told by, in ms. Default: `performance`. */
  readonly clock?: { now(): number }
}

/**
 * Looks hosts up by DNS itself, all addresses of both kinds, IPv4 first. `getaddrinfo` would hold
 * one of few threads for as long as a name server is silent, and cannot be given up. The hosts file
 * is not read: what stands there is private. An answer is kept as long as it says, 30 s at most, and
 * who asks for a host that is being looked up gets the same answer; failures are not kept.
 * @throws (from what it returns) the resolver's error where neither kind is found
 */
export function dnsResolver({ servers, clock = performance }: DnsOptions = {}): ResolveHost {
  const resolver = new Resolver(PATIENCE)
  if (servers !== undefined) resolver.setServers(servers)
  const answers = new LRUCache<string, readonly string[]>({
    max: MOST_KEPT_HOSTS,
    maxSize: MOST_KEPT_ADDRESSES,
    sizeCalculation: (addresses) => Math.max(1, addresses.length),
    ttl: MOST_KEPT_MS,
    perf: clock,
    ttlResolution: 0,
    // A look-up that others push out of here goes on for those who wait for it.
    ignoreFetchAbort: true,
    async fetchMethod(host, _, { options }) {
      const { addresses, ttlMs } = await lookUp(resolver, host)
      // 0 would be for ever.
      options.ttl = Math.min(Math.max(ttlMs, 1), MOST_KEPT_MS)
      return addresses
    },
  })
  return async (host) => (await answers.fetch(host)) ?? []
}

async function lookUp(
  resolver: Resolver,
  host: string,
): Promise<{ readonly addresses: readonly string[]; readonly ttlMs: number }> {
  const [ipv4, ipv6] = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ])
  if (ipv4.status === 'rejected' && ipv6.status === 'rejected') throw ipv4.reason
  const records = [ipv4, ipv6].flatMap((kind) => (kind.status === 'fulfilled' ? kind.value : []))
  return {
    addresses: records.map(({ address }) => address),
    ttlMs: 1_000 * Math.min(...records.map(({ ttl }) => ttl)),
  }
}
