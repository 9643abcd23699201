import { HEADERS } from '@ostler/api'

/** As given: by name in any case, one value or several. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>

/** Names in lower case; a name that came more than once has all its values. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[]>>

/** They concern one connection: RFC 9110, section 7.6.1. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** What the gateway is told, and what those in front of it say of the caller. */
const KEPT_FROM_TARGETS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  HEADERS.apiKey,
  HEADERS.targetUrl,
  HEADERS.geo,
  HEADERS.session,
  HEADERS.requestId,
  HEADERS.idempotencyKey,
  // Written anew for each request.
  'host',
  'content-length',
  'expect',
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'fastly-client-ip',
  'cdn-loop',
])
const PREFIXES_KEPT_FROM_TARGETS = ['x-forwarded-', 'cf-', 'proxy-']

const KEPT_FROM_CALLERS: ReadonlySet<string> = new Set(HOP_BY_HOP)

/** A key of the gateway, in the header that targets use as well. */
const GATEWAY_KEY = /^\s*(?:bearer\s+)?ak_/i

/** Schemes that log a connection in. */
const CONNECTION_LOGIN = /^\s*(?:ntlm|negotiate)\b/i

/**
 * What of a request's headers a target is sent, as names and values in turn: nothing that is for
 * one hop (nor what `connection` names), for the gateway, or about the caller.
 */
export function headersForTarget(given: HeaderFields): string[] {
  const named = namedByConnection(given)
  const sent: string[] = []
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase()
    if (value === undefined || isKeptFromTarget(lower) || named.has(lower)) continue
    for (const one of typeof value === 'string' ? [value] : value) {
      if (lower !== 'authorization' || !GATEWAY_KEY.test(one)) sent.push(name, one)
    }
  }
  return sent
}

/**
 * Whether headers, as names and values in turn, prove who sends them to the whole connection and not to one request: then whoever
 * sends the next one over it would be taken for him. RFC 4559, section 6.
 */
export function isForConnection(sent: readonly string[]): boolean {
  return sent.some((name, i) => {
    return i % 2 === 0 && /^authorization$/i.test(name) && CONNECTION_LOGIN.test(sent[i + 1])
  })
}

/** What of a target's headers the caller gets: nothing that was for one hop. */
export function headersForCaller(given: HeaderFields): ResponseHeaders {
  const named = namedByConnection(given)
  const kept: [string, string | readonly string[]][] = []
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase()
    if (value === undefined || KEPT_FROM_CALLERS.has(lower) || named.has(lower)) continue
    kept.push([lower, value])
  }
  return Object.fromEntries(kept)
}

function isKeptFromTarget(name: string): boolean {
  return (
    KEPT_FROM_TARGETS.has(name) ||
    PREFIXES_KEPT_FROM_TARGETS.some((prefix) => name.startsWith(prefix))
  )
}

function namedByConnection(given: HeaderFields): ReadonlySet<string> {
  const names = new Set<string>()
  for (const [name, value] of Object.entries(given)) {
    if (name.toLowerCase() !== 'connection' || value === undefined) continue
    for (const token of String(value).split(',')) names.add(token.trim().toLowerCase())
  }
  return names
}
