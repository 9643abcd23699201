import { Resolver } from 'node:dns/promises'

/** Every address of a host; rejects, or gives none, where there is none. */
export type ResolveHost = (host: string, signal: AbortSignal) => Promise<readonly string[]>

/** How long a name server may take, and how often it is asked. */
const PATIENCE = { timeout: 2_000, tries: 2 }

/**
 * Looks hosts up by DNS itself, all addresses of both kinds, IPv4 first. `getaddrinfo` would hold
 * one of few threads for as long as a name server is silent, and cannot be given up. The hosts file
 * is not read: what stands there is private.
 * @param servers as `address:port`. Default: the system's
 * @throws (from what it returns) the resolver's error where neither kind is found
 */
export function dnsResolver(servers?: readonly string[]): ResolveHost {
  const resolver = new Resolver(PATIENCE)
  if (servers !== undefined) resolver.setServers(servers)
  return async (host) => {
    const [ipv4, ipv6] = await Promise.allSettled([
      resolver.resolve4(host),
      resolver.resolve6(host),
    ])
    if (ipv4.status === 'rejected' && ipv6.status === 'rejected') throw ipv4.reason
    return [...valueOf(ipv4), ...valueOf(ipv6)]
  }
}

function valueOf(settled: PromiseSettledResult<string[]>): readonly string[] {
  return settled.status === 'fulfilled' ? settled.value : []
}
