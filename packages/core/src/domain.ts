import { getDomain } from 'tldts'
import { OstlerError, shown } from './errors.ts'

export interface DomainOptions {
  /**
   * `registrable` (default): a name under a public suffix, so that `a.shop.co.uk` is `shop.co.uk`.
   * `host`: the host itself, for targets whose hosts block apart from each other.
   */
  readonly scope?: 'registrable' | 'host'
}

/** What is read of a URL object; every runtime's `URL` fits. */
export interface UrlLike {
  readonly href: string
}

// The one global that is used here: WHATWG URL parsing, which every runtime has.
declare const URL: new (text: string) => { readonly hostname: string }

/** The longest target that is looked at. */
export const MAX_TARGET_CHARACTERS = 16_384
const MOST_HOST_CHARACTERS = 253
const KNOWN_SCHEMES = 'http, https, ws, wss, amqp or amqps'
const FORMS = `must be a host or a URL of ${KNOWN_SCHEMES}`

const SCHEMES: ReadonlySet<string> = new Set(['http', 'https', 'ws', 'wss', 'amqp', 'amqps'])
const WITH_AUTHORITY = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is
// `localhost:3000` is a host and a port, `mailto:x` is a scheme.
const WITHOUT_AUTHORITY = /^[a-z][a-z0-9+.-]*:(?!\d+(?:[/?#\\]|$))/i
const BARE_IPV6 = /^[0-9a-f.]*:[0-9a-f.]*:[0-9a-f.:]*$/i
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/
const LABEL = /^[a-z0-9_-]{1,63}$/
/** What no target may hold. */
export const CONTROL: RegExp = /\p{Cc}/u
const DELIMITER = /[/?#\\]/

/**
 * The key that health is kept under: the target's registrable domain by the public suffix list, or
 * its host. The list's private section counts: `me.github.io` and `you.github.io` are two domains,
 * as their owners choose their own protection.
 *
 * Takes URLs of http, https, ws, wss, amqp and amqps, and bare hosts, with a port and path or not.
 * Case, IDN (to punycode), percent signs, a trailing dot and the port are normalised away; IP
 * addresses stay whole, in their one spelling (`0x7f.1` is `127.0.0.1`, IPv6 in brackets).
 * What has no registrable domain is its own key: `localhost`, `intranet`, and `co.uk` itself.
 * Applied to its own answer it gives it again. Not cached, about 2 us.
 * @throws OstlerError INVALID_TARGET, naming the host at most: never credentials, path or query.
 */
export function domainOf(target: string | UrlLike, options: DomainOptions = {}): string {
  if (typeof options !== 'object' || options === null) {
    throw new OstlerError('INVALID_OPTIONS', `options must be an object, got ${shown(options)}`)
  }
  const { scope = 'registrable' } = options
  if (scope !== 'registrable' && scope !== 'host') {
    throw new OstlerError(
      'INVALID_OPTIONS',
      `scope must be 'registrable' or 'host', got ${shown(scope)}`,
    )
  }
  const host = hostOf(target)
  if (scope === 'host' || host.startsWith('[') || IPV4.test(host)) return host
  return getDomain(host, REGISTRABLE) ?? host
}

// `hostOf` has taken the host out and checked it.
const REGISTRABLE = {
  allowPrivateDomains: true,
  extractHostname: false,
  validateHostname: false,
  detectIp: false,
}

function hostOf(target: unknown): string {
  const href = typeof target === 'object' && target !== null && 'href' in target && target.href
  const text = typeof href === 'string' ? href : target
  if (typeof text !== 'string') refuse(shown(target), FORMS)
  if (text.length > MAX_TARGET_CHARACTERS) {
    const most = `must have at most ${MAX_TARGET_CHARACTERS} characters`
    refuse(nameable(text), `${most}, has ${text.length}`)
  }
  const trimmed = text.trim()
  if (CONTROL.test(trimmed)) refuse(nameable(trimmed), 'must have no control characters')

  const rest = authorityOf(trimmed)
  const host = parsed(rest, trimmed).replace(/\.$/, '')
  // WHATWG has checked IP addresses; of names it lets through more than DNS does.
  if (host.startsWith('[')) return host
  if (host.length > MOST_HOST_CHARACTERS) {
    refuse(nameable(trimmed), `must have at most ${MOST_HOST_CHARACTERS} characters in its host`)
  }
  if (!host.split('.').every((label) => LABEL.test(label))) {
    refuse(nameable(trimmed), 'has no valid host: labels are 1 to 63 of a-z, 0-9, - and _')
  }
  return host
}

/** All from the authority on: `user@host:port/path`. */
function authorityOf(text: string): string {
  const url = WITH_AUTHORITY.exec(text)
  let rest = text
  if (url !== null) {
    const scheme = url[1].toLowerCase()
    if (!SCHEMES.has(scheme)) {
      refuse('URL', `the scheme ${shown(scheme)} is not supported: it must be ${KNOWN_SCHEMES}`)
    }
    rest = url[2]
  } else {
    const authority = text.split(DELIMITER, 1)[0]
    if (authority.includes('@')) refuse(nameable(text), `${FORMS}; credentials need a scheme`)
    if (BARE_IPV6.test(authority)) return `[${authority}]${text.slice(authority.length)}`
    if (WITHOUT_AUTHORITY.test(text)) refuse(`${shown(text.split(':', 1)[0])} URI`, FORMS)
  }
  // WHATWG would skip slashes and take the first part of the path for the host.
  if (rest === '' || DELIMITER.test(rest[0])) refuse(nameable(text), `${FORMS}; it has no host`)
  return rest
}

/** By the rules of `http`, whatever the scheme: WHATWG leaves hosts of amqp as they are. */
function parsed(rest: string, text: string): string {
  try {
    return new URL(`http://${rest}`).hostname
  } catch {
    // The cause is dropped: it carries the whole URL.
    return refuse(nameable(text), FORMS)
  }
}

/** What an error may say of a target: its host, as it is written. */
function nameable(text: string): string {
  const rest = WITH_AUTHORITY.exec(text)?.[2] ?? text
  const authority = rest.split(DELIMITER, 1)[0]
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  // An `@` further on may end credentials that a delimiter has cut in two.
  if (host === authority && host.includes(':') && rest.includes('@')) return 'with credentials'
  return shown(host)
}

function refuse(named: string, problem: string): never {
  throw new OstlerError('INVALID_TARGET', `target ${named}: ${problem}`)
}
