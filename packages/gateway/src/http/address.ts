import ipaddr from 'ipaddr.js'

/**
 * Whom a caller without a key is counted as: his IPv4 address, or the /64 of his IPv6 one, for who has one address there has them
 * all. Mapped addresses are their IPv4 ones.
 */
export function callerOf(address: string): string {
  if (!ipaddr.isValid(address)) return 'ip:unknown'
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return `ip:${parsed.toString()}`
  const parts = (parsed as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16))
  return `ip:${parts.join(':')}::/64`
}
