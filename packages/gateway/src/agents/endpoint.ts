import { AgentFailure } from './failure.ts'

/** How the gateway reaches an agent. Credentials stay in here: no message shows them. */
export type Endpoint = HttpEndpoint | SocksEndpoint | DirectEndpoint

/** A forward proxy. */
export interface HttpEndpoint {
  readonly kind: 'http'
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  /** Whether it is spoken to over TLS. */
  readonly secure: boolean
  /** The value of `proxy-authorization`. */
  readonly authorization?: string
}

export interface SocksEndpoint {
  readonly kind: 'socks5'
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
}

/** No proxy: the gateway connects to targets itself. */
export interface DirectEndpoint {
  readonly kind: 'direct'
}

const FORMS =
  'must be http://[user:password@]host:port, https://..., socks5://... or direct, without a path'
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, socks5: 1080 }
/** RFC 1929: lengths are one byte. */
const MOST_SOCKS_BYTES = 255

/**
 * Reads the `url` of an agent; none is `direct`. User and password are percent-encoded.
 * @throws AgentFailure misconfigured
 */
export function readEndpoint(url: string | undefined): Endpoint {
  if (url === undefined || url === 'direct') return { kind: 'direct' }
  const parsed = URL.parse(url)
  if (parsed === null) misconfigured(FORMS)
  const scheme = parsed.protocol.slice(0, -1)
  if (!Object.hasOwn(DEFAULT_PORTS, scheme)) misconfigured(`${FORMS}, got ${scheme}:`)
  const { hostname, pathname, search, hash } = parsed
  const isBare = (pathname === '' || pathname === '/') && search === '' && hash === ''
  const port = parsed.port === '' ? DEFAULT_PORTS[scheme] : Number(parsed.port)
  if (hostname === '' || port === 0 || !isBare) misconfigured(FORMS)
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  const username = decoded(parsed.username)
  const password = decoded(parsed.password)
  const isAnonymous = username === '' && password === ''
  if (scheme === 'socks5') {
    if (isAnonymous) return { kind: 'socks5', host, port }
    if (Math.max(Buffer.byteLength(username), Buffer.byteLength(password)) > MOST_SOCKS_BYTES) {
      misconfigured(`must have a user and a password of at most ${MOST_SOCKS_BYTES} bytes`)
    }
    return { kind: 'socks5', host, port, username, password }
  }
  const secure = scheme === 'https'
  if (isAnonymous) return { kind: 'http', host, port, secure }
  const basic = Buffer.from(`${username}:${password}`).toString('base64')
  return { kind: 'http', host, port, secure, authorization: `Basic ${basic}` }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    misconfigured('must have a user and a password that are percent-encoded')
  }
}

function misconfigured(rule: string): never {
  throw new AgentFailure('misconfigured', `the url of the agent ${rule}`)
}
