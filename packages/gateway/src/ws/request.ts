import type { FieldProblem } from '@ostler/api'
import { shown } from '@ostler/core'
import { headersForTarget } from '../agents/headers.ts'
import { ApiError } from '../http/api-error.ts'
import { validatorOf } from '../http/validator.ts'
import type { Guard } from '../target/guard.ts'
import type { TargetUrl } from '../target/url.ts'
import { ConnectBody } from './schema.ts'

const DEFAULT_IDLE_S = 3600
/** Of all names and values; servers take 8 to 64 KiB. */
const MOST_HEADER_BYTES = 16 * 1024
const MOST_PROTOCOLS = 32

/** A token: RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/
/** Visible characters, blanks and tabs, and Latin-1: nothing that ends a line. RFC 9110, section 5.5. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** As browsers take them: all but what ends one. */
const COOKIE_VALUE = /^[\x20-\x3a\x3c-\x7e]*$/
const PROTOCOL_HEADER = 'sec-websocket-protocol'
/** The handshake's own, written anew: RFC 6455, section 4.1. */
const HANDSHAKE = /^sec-websocket-/i

/** What a caller asks for, with every default filled in. */
export interface AskedSocket {
  readonly target: TargetUrl
  /** By name as given; each name once, in whatever case. */
  readonly headers: Readonly<Record<string, string>>
  /** Offered to the target, in the order of preference. */
  readonly protocols: readonly string[]
  readonly geo: string | null
  readonly agent: string | null
  readonly idleMs: number
}

/** Any JSON object: what it holds is not looked at yet. @throws ApiError BAD_REQUEST */
export function readMessage(text: string): Readonly<Record<string, unknown>> {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch (cause) {
    throw new ApiError('BAD_REQUEST', `the first message must be JSON: ${FORM}`, { cause })
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw new ApiError('BAD_REQUEST', `the first message must be a JSON object: ${FORM}`)
  }
  return message as Readonly<Record<string, unknown>>
}

const FORM = '{ "apiKey", "url", "headers"?, "cookies"?, "geo"?, "agent"?, "idle_timeout"? }'

/**
 * Reads what is asked for. `agreed`: the sub-protocol that was agreed with the caller when he opened the WebSocket. He believes in
 * it, so the target is offered it and no other; who leaves the choice to the target offers none then, and names them in a header.
 * @throws ApiError MISSING_TARGET_URL, VALIDATION_ERROR; TargetError
 */
export function askedOf(
  message: Readonly<Record<string, unknown>>,
  agreed: string,
  guard: Guard,
): AskedSocket {
  const { url } = message
  if (url === undefined || url === '') {
    throw new ApiError('MISSING_TARGET_URL', 'no target: give `url` in the first message')
  }
  const body = checkedBody(message)
  const { headers, protocols } = handshakeOf(body, agreed)
  return {
    target: socketTarget(guard.parse(body.url)),
    headers,
    protocols,
    geo: body.geo ?? null,
    agent: body.agent ?? null,
    idleMs: Math.ceil((body.idle_timeout ?? DEFAULT_IDLE_S) * 1000),
  }
}

const check = validatorOf()({ schema: ConnectBody, httpPart: 'body', method: 'GET', url: '/ws' })

function checkedBody(message: unknown): ConnectBody {
  const result = check(message) as true | { readonly error: unknown }
  if (result === true) return message as ConnectBody
  // As the framework throws what a schema finds, so that it is told the same way.
  throw Object.assign(new Error('the first message is not as it must be'), {
    validation: result.error,
    validationContext: 'message',
  })
}

function socketTarget(target: TargetUrl): TargetUrl {
  const { scheme } = target
  if (scheme === 'ws' || scheme === 'wss') return target
  if (scheme === 'http' || scheme === 'https') {
    return { ...target, scheme: scheme === 'http' ? 'ws' : 'wss' }
  }
  throw new ApiError('INVALID_TARGET_URL', `the target must be of ws or wss, is of ${scheme}`)
}

function handshakeOf(
  { headers = {}, cookies = {} }: ConnectBody,
  agreed: string,
): Pick<AskedSocket, 'headers' | 'protocols'> {
  const problems = [...headerProblems(headers), ...cookieProblems(cookies)]
  const named = Object.entries(headers).find(([name]) => name.toLowerCase() === PROTOCOL_HEADER)
  const protocols = named === undefined ? [] : named[1].split(',').map((name) => name.trim())
  if (named !== undefined) problems.push(...protocolProblems(named[0], protocols, agreed))
  if (problems.length > 0) throw invalid(problems)
  return {
    headers: withCookies(headers, cookies),
    protocols: agreed === '' ? protocols : [agreed],
  }
}

function headerProblems(headers: Readonly<Record<string, string>>): FieldProblem[] {
  const problems: FieldProblem[] = []
  const names = new Set<string>()
  let bytes = 0
  for (const [name, value] of Object.entries(headers)) {
    const path = `message.headers.${TOKEN.test(name) ? name : '*'}`
    bytes += name.length + value.length
    if (!TOKEN.test(name)) {
      problems.push({ path, message: `must be a name of RFC 9110, got ${shown(name)}` })
    } else if (names.has(name.toLowerCase())) {
      problems.push({ path, message: 'must be given once, in one case' })
    } else if (!VALUE.test(value)) {
      problems.push({ path, message: 'must be printable Latin-1 without line ends' })
    }
    names.add(name.toLowerCase())
  }
  if (bytes > MOST_HEADER_BYTES) {
    const message = `must have at most ${MOST_HEADER_BYTES} bytes in all, has ${bytes}`
    problems.push({ path: 'message.headers', message })
  }
  return problems
}

function cookieProblems(cookies: Readonly<Record<string, string>>): FieldProblem[] {
  const problems: FieldProblem[] = []
  let bytes = 0
  for (const [name, value] of Object.entries(cookies)) {
    const path = `message.cookies.${TOKEN.test(name) ? name : '*'}`
    bytes += name.length + value.length
    if (!TOKEN.test(name)) {
      problems.push({ path, message: `must be a name of RFC 6265, got ${shown(name)}` })
    } else if (!COOKIE_VALUE.test(value)) {
      problems.push({ path, message: 'must be printable ASCII without `;`' })
    }
  }
  if (bytes > MOST_HEADER_BYTES) {
    const message = `must have at most ${MOST_HEADER_BYTES} bytes in all, has ${bytes}`
    problems.push({ path: 'message.cookies', message })
  }
  return problems
}

function protocolProblems(
  header: string,
  protocols: readonly string[],
  agreed: string,
): FieldProblem[] {
  const path = `message.headers.${header}`
  if (agreed !== '') {
    const message = `must not be given: ${shown(agreed)} was agreed when the WebSocket was opened`
    return [{ path, message }]
  }
  const isSound =
    protocols.length <= MOST_PROTOCOLS &&
    protocols.every((name) => TOKEN.test(name)) &&
    new Set(protocols).size === protocols.length
  if (isSound) return []
  return [{ path, message: `must name 1 to ${MOST_PROTOCOLS} sub-protocols, each once` }]
}

/** Nothing that is for one hop, for the gateway, or the handshake's own. */
function withCookies(
  given: Readonly<Record<string, string>>,
  cookies: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const pairs = headersForTarget(given)
  const sent: Record<string, string> = {}
  const jar = Object.entries(cookies).map(([name, value]) => `${name}=${value}`)
  for (let i = 0; i < pairs.length; i += 2) {
    const [name, value] = [pairs[i], pairs[i + 1]]
    if (HANDSHAKE.test(name)) continue
    if (name.toLowerCase() === 'cookie') jar.unshift(value)
    else sent[name] = value
  }
  return jar.length === 0 ? sent : { ...sent, cookie: jar.join('; ') }
}

function invalid(fields: readonly FieldProblem[]): ApiError {
  const listed = fields.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new ApiError('VALIDATION_ERROR', listed, { details: { fields } })
}
