/** How an agent is reached. Credentials stay in here and in the url: no message ever shows them. */
export interface Endpoint {
  readonly scheme: string
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
}

export const SCHEMES: readonly string[] = [
  'http',
  'https',
  'socks4',
  'socks4a',
  'socks5',
  'socks5h',
]

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/
const IPV6 = /^(?=.*:.*:)[0-9a-f:]{2,39}(:\d{1,3}(\.\d{1,3}){3})?$/i
const NAME =
  /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i
const MOST_CREDENTIAL = 1_024
const LONE_SURROGATE = /\p{Surrogate}/u

/** A reason why something is no endpoint; one clause, without credentials. */
export class Reason {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * Reads `host:port`, `host:port:user:pass` (all after the third colon is the password),
 * `user:pass@host:port`, or a URL `scheme://[user[:pass]@]host:port`, whose credentials are
 * percent-encoded. IPv6 stands in brackets.
 */
export function parseEndpoint(text: string, defaultScheme: string): Endpoint | Reason {
  const scheme = SCHEME.exec(text)
  if (scheme !== null) {
    const rest = text.slice(scheme[0].length).replace(/\/$/, '')
    return parseUrl(scheme[1].toLowerCase(), rest)
  }
  const at = text.lastIndexOf('@')
  if (at >= 0) {
    const [user, password] = cut(text.slice(0, at), ':')
    return build(defaultScheme, text.slice(at + 1), user, password)
  }
  const host = text.startsWith('[') ? text.slice(0, text.indexOf(']') + 1) : cut(text, ':')[0]
  if (host === '') return new Reason('has no host, or a bracket that is not closed')
  const rest = text.slice(host.length)
  if (rest === '') return new Reason('has no port')
  if (!rest.startsWith(':')) return new Reason('has something between host and port')
  const [port, credentials] = cut(rest.slice(1), ':')
  if (credentials === undefined) return build(defaultScheme, `${host}:${port}`)
  const [user, password] = cut(credentials, ':')
  if (password === undefined) return new Reason('has a user and no password: host:port:user:pass')
  return build(defaultScheme, `${host}:${port}`, user, password)
}

function parseUrl(scheme: string, rest: string): Endpoint | Reason {
  if (/[/?#]/.test(rest)) return new Reason('has a path, a query or a fragment after the port')
  const at = rest.lastIndexOf('@')
  if (at < 0) return build(scheme, rest)
  const [user, password] = cut(rest.slice(0, at), ':')
  try {
    return build(
      scheme,
      rest.slice(at + 1),
      decodeURIComponent(user),
      password === undefined ? undefined : decodeURIComponent(password),
    )
  } catch {
    return new Reason('has credentials with a % that encodes nothing')
  }
}

function build(
  scheme: string,
  hostAndPort: string,
  username?: string,
  password?: string,
): Endpoint | Reason {
  const colon = hostAndPort.lastIndexOf(':')
  if (colon < 0 || hostAndPort.endsWith(']')) return new Reason('has no port')
  const port = hostAndPort.slice(colon + 1)
  if (!/^\d{1,6}$/.test(port))
    return new Reason(`port must be from 1 to 65535, got ${quoted(port)}`)
  return checkEndpoint({
    scheme,
    host: hostAndPort.slice(0, colon),
    port: Number(port),
    ...(username === undefined || username === '' ? {} : { username }),
    ...(password === undefined || password === '' ? {} : { password }),
  })
}

/** Checks the parts of an endpoint, wherever they come from; takes brackets off, lowers names. */
export function checkEndpoint(endpoint: Endpoint): Endpoint | Reason {
  const { scheme, port } = endpoint
  const inBrackets = /^\[(.*:.*)\]$/.exec(endpoint.host)
  const bare = inBrackets === null ? endpoint.host : inBrackets[1]
  const host = bare.toLowerCase()
  if (!SCHEMES.includes(scheme)) {
    return new Reason(`scheme must be one of ${SCHEMES.join(', ')}, got ${quoted(scheme)}`)
  }
  if (!isHost(host)) return new Reason(`host must be a name or an address, got ${quoted(bare)}`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    return new Reason(`port must be from 1 to 65535, got ${quoted(String(port))}`)
  }
  for (const part of ['username', 'password'] as const) {
    const value = endpoint[part]
    if (value === undefined) continue
    if (value.length > MOST_CREDENTIAL) {
      return new Reason(`${part} must have at most ${MOST_CREDENTIAL} characters`)
    }
    if (hasControl(value) || LONE_SURROGATE.test(value)) {
      return new Reason(`${part} has a control character or half a character`)
    }
  }
  return { ...endpoint, host }
}

function isHost(host: string): boolean {
  if (/^[\d.]+$/.test(host)) {
    return IPV4.test(host) && host.split('.').every((part) => Number(part) <= 255)
  }
  if (host.includes(':')) return IPV6.test(host) && URL.canParse(`http://[${host}]/`)
  return NAME.test(host)
}

/** Without credentials: safe to print. */
export function addressOf({ scheme, host, port }: Endpoint): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** With credentials, percent-encoded: for the gateway alone. */
export function urlOf(endpoint: Endpoint): string {
  const { username, password } = endpoint
  if (username === undefined && password === undefined) return addressOf(endpoint)
  const user = encodeURIComponent(username ?? '')
  const credentials = password === undefined ? user : `${user}:${encodeURIComponent(password)}`
  return addressOf(endpoint).replace('://', `://${credentials}@`)
}

/** What a message may show of a text: short, on one line, and nothing before an @. */
export function quoted(text: string): string {
  const safe = JSON.stringify(text.slice(text.lastIndexOf('@') + 1))
  return safe.length > 60 ? `${safe.slice(0, 56)}..."` : safe
}

export function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 32 || unit === 127) return true
  }
  return false
}

/** Before and after the first separator; undefined where there is none. */
function cut(text: string, separator: string): [string, string | undefined] {
  const i = text.indexOf(separator)
  return i < 0 ? [text, undefined] : [text.slice(0, i), text.slice(i + 1)]
}
