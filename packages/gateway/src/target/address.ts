import ipaddr from 'ipaddr.js'

type Cidr = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Looked at first: they are finer than what ipaddr.js tells apart, or unknown to it. */
const FINER: readonly (readonly [name: string, cidrs: readonly Cidr[]])[] = [
  [
    'metadata',
    [
      '169.254.169.254/32', // nearly every cloud
      '169.254.170.2/32', // credentials of containers
      '100.100.100.200/32',
      '192.0.0.192/32',
      '168.63.129.16/32', // public by its number, and answers only inside its cloud
      'fd00:ec2::254/128',
      'fd20:ce::254/128',
    ].map((text) => ipaddr.parseCIDR(text)),
  ],
  [
    'documentation', // RFC 5737, RFC 3849, RFC 9637
    ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'].map(
      (text) => ipaddr.parseCIDR(text),
    ),
  ],
  ['benchmarking', [ipaddr.parseCIDR('198.18.0.0/15')]], // RFC 2544
  ['IPv4-compatible', [ipaddr.parseCIDR('::/96')]], // RFC 4291; `::` and `::1` are not meant
  ['local-use NAT64', [ipaddr.parseCIDR('64:ff9b:1::/48')]], // RFC 8215
]

const NAMES: Readonly<Record<string, string>> = {
  carrierGradeNat: 'carrier-grade NAT',
  linkLocal: 'link-local',
  uniqueLocal: 'unique local',
  deprecatedSiteLocal: 'site-local',
  rfc6145: 'IPv4-translated',
  teredo: 'Teredo',
}

/** All of IPv6 that is given out to anyone: RFC 4291, section 2.4. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

/** What ipaddr.js takes for a mapped address, as nothing else does. */
const COMPATIBLE = /^::\d+\.\d+\.\d+\.\d+(%.*)?$/

/**
 * The name of the range that keeps an address from being public, such as `loopback`; null where it
 * is public. An IPv6 address that carries an IPv4 address is as public as that is, where it is a
 * way to get there (mapped, NAT64, ISATAP); what is not used any more (6to4, Teredo) never is.
 * A network's own NAT64 prefix cannot be known here. What is no address is `unreadable`.
 */
export function refusedRange(address: string): string | null {
  if (!ipaddr.isValid(address)) return 'unreadable'
  if (COMPATIBLE.test(address)) return 'IPv4-compatible'
  const parsed = ipaddr.parse(address)
  return parsed.kind() === 'ipv4' ? rangeOf(parsed) : rangeOfIpv6(parsed as ipaddr.IPv6)
}

function rangeOfIpv6(address: ipaddr.IPv6): string | null {
  const carrier = carrierOf(address)
  if (carrier !== null) {
    const carried = rangeOf(carriedBy(address))
    if (carried !== null) return `${carried} (${carrier})`
    if (carrier !== 'ISATAP') return null
  }
  const range = rangeOf(address)
  if (range !== null) return range
  return address.match(GLOBAL_UNICAST) ? null : 'reserved'
}

/** How an address carries the IPv4 address in its last 32 bits, or null. */
function carrierOf(address: ipaddr.IPv6): string | null {
  const { parts } = address
  const range = address.range()
  if (range === 'ipv4Mapped') return 'IPv4-mapped'
  if (range === 'rfc6052') return parts[2] === 0 ? 'NAT64' : null
  // RFC 5214: the IANA's number, and whether the address is meant to be unique.
  const isIsatap = parts[5] === 0x5efe && (parts[4] === 0 || parts[4] === 0x0200)
  return isIsatap ? 'ISATAP' : null
}

function carriedBy({ parts }: ipaddr.IPv6): ipaddr.IPv4 {
  const [high, low] = [parts[6], parts[7]]
  return new ipaddr.IPv4([high >> 8, high & 0xff, low >> 8, low & 0xff])
}

function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string | null {
  const range = address.range()
  if (range !== 'unspecified' && range !== 'loopback') {
    for (const [name, cidrs] of FINER) if (cidrs.some((cidr) => isIn(address, cidr))) return name
  }
  return range === 'unicast' ? null : (NAMES[range] ?? range)
}

/** Whether an address is in a range of the same kind. */
function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, [start, bits]: Cidr): boolean {
  return address.kind() === start.kind() && address.match(start, bits)
}

/**
 * Tells whether an address is in one of some ranges, each `address/bits` or one address. A mapped
 * IPv4 address counts as the IPv4 address, on both sides.
 */
export class Ranges {
  readonly #cidrs: readonly Cidr[]

  /** @param texts only such as {@link isRange} finds good */
  constructor(texts: readonly string[]) {
    this.#cidrs = texts.map(readRange)
  }

  has(address: string): boolean {
    if (!ipaddr.isValid(address)) return false
    const parsed = ipaddr.process(address)
    return this.#cidrs.some((cidr) => isIn(parsed, cidr))
  }
}

/** Whether a text is `address/bits` or an address. */
export function isRange(text: string): boolean {
  return ipaddr.isValidCIDR(text) || ipaddr.isValid(text)
}

function readRange(text: string): Cidr {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}
