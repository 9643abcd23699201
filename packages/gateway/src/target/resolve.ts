import { Resolver } from 'node:dns/promises'

/**
 * Asks DNS itself and not `getaddrinfo`: that would hold one of few threads for as long as a name
 * server is silent, and cannot be given up. The hosts file is not read: what stands there is private.
 */
const resolver = new Resolver({ timeout: 2_000, tries: 2 })

/**
 * All addresses of a host, IPv4 first. A name server that is silent costs about 6 s at most.
 * @throws the resolver's error where neither kind is found
 */
export async function resolveHost(host: string): Promise<readonly string[]> {
  const [ipv4, ipv6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  if (ipv4.status === 'rejected' && ipv6.status === 'rejected') throw ipv4.reason
  return [...valueOf(ipv4), ...valueOf(ipv6)]
}

function valueOf(settled: PromiseSettledResult<string[]>): readonly string[] {
  return settled.status === 'fulfilled' ? settled.value : []
}
