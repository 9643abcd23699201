import { isIP } from 'node:net'
import { OstlerError } from '@ostler/core'
import { isRange, Ranges, refusedRange } from './address.ts'
import { TargetError } from './error.ts'
import { dnsResolver, type ResolveHost } from './resolve.ts'
import { parseTargetUrl, type TargetUrl } from './url.ts'

/** A target that may be fetched: connect to one of its addresses, and never look its host up again. */
export interface CheckedTarget extends TargetUrl {
  /** 1 to 16, in the resolver's order; the host itself where it is an address. */
  readonly addresses: readonly string[]
}

export interface GuardOptions {
  /**
   * Targets that are allowed though they are not public: addresses, CIDRs (`10.1.0.0/16`), or
   * hosts, whatever address these have. A private name must be here itself: that its address is
   * does not do. At most 1,000. Default none.
   */
  readonly allow?: readonly string[]
  /** Default: {@link dnsResolver}. */
  readonly resolve?: ResolveHost
}

/** Keeps targets off addresses that are not for everyone. Agents may run the same. */
export interface Guard {
  /** @throws TargetError INVALID_TARGET_URL, TARGET_FORBIDDEN (by its name alone) */
  parse(text: string): TargetUrl
  /**
   * Looks the host up, once, and checks every address: one that is not public refuses the target.
   * @throws TargetError TARGET_FORBIDDEN, TARGET_UNRESOLVED
   * @throws the signal's reason once it is aborted
   */
  check(target: TargetUrl, signal?: AbortSignal): Promise<CheckedTarget>
}

const MOST_ALLOWED = 1_000
const MOST_ADDRESSES = 16

/** Names that are never public, and all below them: RFC 6761, RFC 6762 (and its appendix G), RFC 7686, RFC 8375. */
const PRIVATE_NAMES = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'home.arpa',
  'onion',
]

/**
 * A guard against targets at private, loopback, link-local, metadata and other addresses that are
 * not for everyone (see {@link refusedRange}).
 * @throws OstlerError INVALID_OPTIONS
 */
export function createGuard(options: GuardOptions = {}): Guard {
  const { allow = [], resolve = dnsResolver() } = options
  if (allow.length > MOST_ALLOWED) {
    throw new OstlerError(
      'INVALID_OPTIONS',
      `allow must have at most ${MOST_ALLOWED} entries, has ${allow.length}`,
    )
  }
  const ranges = new Ranges(allow.filter(isRange))
  const names = new Set(allow.filter((entry) => !isRange(entry)).map(readName))

  function parse(text: string): TargetUrl {
    const target = parseTargetUrl(text)
    if (isIP(target.host) === 0 && !names.has(target.host)) refusePrivateName(target.host)
    return target
  }

  async function check(target: TargetUrl, signal?: AbortSignal): Promise<CheckedTarget> {
    const { host } = target
    if (names.has(host)) return { ...target, addresses: await addressesOf(host, resolve, signal) }
    if (isIP(host) === 0) refusePrivateName(host)
    const addresses = await addressesOf(host, resolve, signal)
    for (const address of addresses) {
      const range = ranges.has(address) ? null : refusedRange(address)
      if (range !== null) forbid(isIP(host) === 0 ? `resolves to a ${range}` : `is at a ${range}`)
    }
    return { ...target, addresses: addresses.slice(0, MOST_ADDRESSES) }
  }

  return { parse, check }
}

function readName(entry: string): string {
  const host = URL.parse(`http://${entry}/`)?.hostname
  if (host === undefined || host === '' || host !== entry.toLowerCase()) {
    throw new OstlerError(
      'INVALID_OPTIONS',
      `allow must hold addresses, CIDRs and hosts, got ${JSON.stringify(entry)}`,
    )
  }
  return host
}

function refusePrivateName(host: string): void {
  const name = PRIVATE_NAMES.find((name) => host === name || host.endsWith(`.${name}`))
  if (name !== undefined) {
    throw new TargetError('TARGET_FORBIDDEN', `the target is a private name: .${name} is`)
  }
  if (!host.includes('.')) {
    throw new TargetError('TARGET_FORBIDDEN', 'the target is a private name: it has no dot')
  }
}

async function addressesOf(
  host: string,
  resolve: ResolveHost,
  given: AbortSignal | undefined,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  const signal = given ?? new AbortController().signal
  signal.throwIfAborted()
  let addresses: readonly string[]
  try {
    addresses = await untilAborted(resolve(host, signal), signal)
  } catch (cause) {
    signal.throwIfAborted()
    throw new TargetError('TARGET_UNRESOLVED', 'the host of the target was not found', { cause })
  }
  if (addresses.length === 0) {
    throw new TargetError('TARGET_UNRESOLVED', 'the host of the target has no address')
  }
  return addresses
}

/** A look-up that goes on after its caller left ends by itself; nobody waits for it. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function forbid(place: string): never {
  throw new TargetError('TARGET_FORBIDDEN', `the target ${place} address, which is not fetched`)
}
