import { isIPv6 } from 'node:net'
import { TargetError } from './error.ts'

export type TargetScheme = 'http' | 'https' | 'ws' | 'wss' | 'amqp' | 'amqps'

/** A target as it was asked for. Its host is not looked up yet. */
export interface TargetUrl {
  /** As WHATWG writes it, with neither credentials nor fragment. */
  readonly url: string
  readonly scheme: TargetScheme
  /** A name in lower case and punycode, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string
  /** 1 to 65,535. */
  readonly port: number
  /** Path and query, from the first slash. */
  readonly path: string
  /** A broker's; other targets must have none. Never log them. */
  readonly credentials?: TargetCredentials
}

export interface TargetCredentials {
  readonly username: string
  readonly password: string
}

export const MAX_TARGET_URL_CHARACTERS = 8_192

const DEFAULT_PORTS: Readonly<Record<TargetScheme, number>> = {
  http: 80,
  https: 443,
  ws: 80,
  wss: 443,
  amqp: 5672,
  amqps: 5671,
}

/**
 * Ports of other protocols, whose servers might read a request as commands: the bad ports of the
 * Fetch standard (https://fetch.spec.whatwg.org/#port-blocking).
 */
const BAD_PORTS: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
  103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
  512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
  995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
  6669, 6679, 6697, 10080,
])

const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/

/**
 * Reads a target as the WHATWG URL standard says, so that every spelling of a host comes to one:
 * `http://0x7f.1` is `127.0.0.1`. The host may still be private: that is for the guard's `check`.
 * @throws TargetError INVALID_TARGET_URL; the message never holds the URL, which may hold secrets
 */
export function parseTargetUrl(text: string): TargetUrl {
  if (text.length > MAX_TARGET_URL_CHARACTERS) {
    invalid(`must have at most ${MAX_TARGET_URL_CHARACTERS} characters, has ${text.length}`)
  }
  const url = URL.parse(text)
  if (url === null) invalid('must be an absolute URL whose host and port are well-formed')
  const scheme = url.protocol.slice(0, -1)
  if (!isScheme(scheme)) {
    invalid('must be of http, https, ws, wss, amqp or amqps')
  }
  const host = hostOf(url)
  const port = url.port === '' ? DEFAULT_PORTS[scheme] : Number(url.port)
  if (BAD_PORTS.has(port)) invalid(`has port ${port}, which is another protocol's`)
  const { username, password } = url
  const credentials = credentialsOf(scheme, username, password)
  url.hostname = host.includes(':') ? `[${host}]` : host
  url.username = ''
  url.password = ''
  url.hash = ''
  const path = `${url.pathname}${url.search}`
  const read = { url: url.href, scheme, host, port, path }
  return credentials === null ? read : { ...read, credentials }
}

function isScheme(text: string): text is TargetScheme {
  return Object.hasOwn(DEFAULT_PORTS, text)
}

/** Hosts of amqp are read as they stand: http's parser brings them into the one spelling. */
function hostOf(url: URL): string {
  const host = URL.parse(`http://${url.hostname}/`)?.hostname ?? ''
  if (host.startsWith('[')) {
    const bare = host.slice(1, -1)
    if (isIPv6(bare)) return bare
  }
  if (host.endsWith('.')) invalid('has a host that ends in a dot')
  if (!NAME.test(host)) invalid('has a host that is no name and no address')
  return host
}

function credentialsOf(
  scheme: TargetScheme,
  username: string,
  password: string,
): TargetCredentials | null {
  if (username === '' && password === '') return null
  if (scheme !== 'amqp' && scheme !== 'amqps') {
    invalid('has credentials before its host: send them as a header')
  }
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  } catch {
    invalid('has credentials with a % that encodes nothing')
  }
}

function invalid(problem: string): never {
  throw new TargetError('INVALID_TARGET_URL', `the target ${problem}`)
}
