import { OstlerError, shown } from '../errors.ts'
import { isExhausted, retryAfterMs, type HeaderMap } from './retry-after.ts'
import { compiledOf, evidenceOf, holds, MOST_BODY, type Page } from './rules.ts'
import { titleOf } from './scan.ts'
import { VENDOR_RULES, type VendorRule } from './vendors.ts'

/**
 * Headers as a record of any case, or anything with `forEach(value, name)`, such as `Headers` and
 * `Map`.
 */
export type ResponseHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | { forEach(visit: (value: string, name: string) => void): void }

/** A target's answer, decompressed. */
export interface TargetResponse {
  readonly status: number
  readonly headers?: ResponseHeaders
  /** All of the body or its beginning: only the first 16 KiB are read. */
  readonly body?: string | Uint8Array
  /** Where redirects ended. */
  readonly url?: string
}

export interface ClassifyOptions {
  /** For headers that name an instant. Default: the answer's own `Date` header. */
  readonly nowMs?: number
  /**
   * Tried in order, in place of `VENDOR_RULES`. An array is compiled once: keep it, at most 1,000.
   */
  readonly rules?: readonly VendorRule[]
}

/** What a dispatch came to, for `report`. */
export interface ClassifiedOutcome {
  readonly kind:
    'ok' | 'rate_limited' | 'challenged' | 'blocked' | 'target_error' | 'agent_error' | 'neutral'
  readonly evidence: string
  /** What the target asked for, in ms from now; only of `rate_limited`, where its headers say. */
  readonly retryAfterMs?: number
}

export interface Classification {
  readonly outcome: ClassifiedOutcome
  /** Who protects the target, where the answer shows it. */
  readonly vendor?: string
  readonly evidence: string
  /** 0 to 1. */
  readonly confidence: number
}

/**
 * Says what a target's answer came to: a block, a challenge, a limit, or an answer. Protection
 * that is merely there (a vendor's header, cookie or script on a page with content) is none of
 * these. Pure; reads at most 16 KiB, in time linear in them; throws on no answer, whatever it
 * holds.
 * @throws OstlerError INVALID_OPTIONS for bad rules, INVALID_OUTCOME if the response is no object.
 */
export function classify(response: TargetResponse, options: ClassifyOptions = {}): Classification {
  if (typeof options !== 'object' || options === null) {
    throw new OstlerError('INVALID_OPTIONS', `options must be an object, got ${shown(options)}`)
  }
  if (typeof response !== 'object' || response === null) {
    throw new OstlerError('INVALID_OUTCOME', `response must be an object, got ${shown(response)}`)
  }
  const status = typeof response.status === 'number' ? response.status : Number.NaN
  if (status === 407) return answer('agent_error', 'status 407: the agent wants credentials', 0.95)
  const headers = headerMap(response.headers)
  const { rules = VENDOR_RULES } = options
  const found = evidenceIn(response, status, headers, rules)
  const wait = retryAfterMs(headers, options.nowMs)
  if (found !== null && found.outcome.kind !== 'rate_limited') return found
  if (found !== null) {
    return answer('rate_limited', found.evidence, found.confidence, found.vendor, wait)
  }
  return byStatus(status, headers, wait)
}

/** What the status and the rate headers say, where no rule has anything to say. */
function byStatus(status: number, headers: HeaderMap, wait: number | undefined): Classification {
  const vendor = serverOf(headers)
  if (status === 429) return answer('rate_limited', 'status 429', 0.95, vendor, wait)
  if (status === 403 || status === 503) {
    if (headers.has('retry-after')) {
      return answer('rate_limited', `status ${status} with Retry-After`, 0.8, vendor, wait)
    }
    if (isExhausted(headers)) {
      return answer('rate_limited', `status ${status}, rate headers exhausted`, 0.85, vendor, wait)
    }
  }
  if (status === 403) return answer('challenged', 'status 403, nothing else', 0.5, vendor)
  if (status === 451) return answer('blocked', 'status 451', 0.9, vendor)
  // Not in use for anything else: LinkedIn's refusal, and the teapot that some serve to robots.
  if (status === 999) return answer('blocked', 'status 999', 0.9, vendor)
  if (status === 418) return answer('challenged', 'status 418', 0.5, vendor)
  if (status >= 500 && status <= 599) return answer('target_error', `status ${status}`, 0.8, vendor)
  if (status === 408) return answer('neutral', 'status 408', 0.5, vendor)
  if (status >= 200 && status <= 399) return answer('ok', `status ${status}`, 0.9, vendor)
  // 401, 404, 410 and the like: the target judged the request, not who sent it.
  if (status >= 400 && status <= 499) return answer('ok', `status ${status}`, 0.7, vendor)
  return answer('neutral', `status ${status} says nothing`, 0.5, vendor)
}

function answer(
  kind: ClassifiedOutcome['kind'],
  evidence: string,
  confidence: number,
  vendor?: string,
  wait?: number,
): Classification {
  const outcome = wait === undefined ? { kind, evidence } : { kind, evidence, retryAfterMs: wait }
  return { outcome, ...(vendor === undefined ? {} : { vendor }), evidence, confidence }
}

/** The vendor that has answered, from headers that say no more than that. */
function serverOf(headers: HeaderMap): string | undefined {
  if (headers.has('cf-ray')) return 'cloudflare'
  if (headers.has('x-iinfo')) return 'imperva'
  if (headers.has('x-sucuri-id')) return 'sucuri'
  if (headers.has('x-datadome')) return 'datadome'
  return headers.get('server')?.toLowerCase() === 'akamaighost' ? 'akamai' : undefined
}

function evidenceIn(
  response: TargetResponse,
  status: number,
  headers: HeaderMap,
  rules: readonly VendorRule[],
): Classification | null {
  const compiled = compiledOf(rules)
  const body = isPage(headers) ? bodyOf(response.body) : ''
  const title = titleOf(body)
  const marks = compiled.scanner.scan(body)
  const urls = `${text(response.url)} ${headers.get('location') ?? ''}`
  const url = urls.slice(0, MOST_BODY).toLowerCase()

  const page: Page = { status, headers, body, title, url, marks }
  for (const compiledRule of compiled.rules) {
    if (!holds(compiledRule, page, compiled.scanner)) continue
    const { rule } = compiledRule
    const vendor = rule.vendor ?? compiled.vendors.find(([mark]) => marks[mark] === 1)?.[1]
    const evidence = rule.evidence ?? evidenceOf(rule)
    return answer(rule.outcome, evidence, rule.confidence, vendor ?? serverOf(headers))
  }
  return null
}

// ---- reading an answer -----------------------------------------------------------------------

declare const TextDecoder: new () => { decode(bytes: Uint8Array): string }

// No page: blocks are not found in pictures, and scripts may hold every vendor's words.
const NO_PAGE =
  /^\s*(?:image|audio|video|font|application\/(?:octet|pdf|zip)|[a-z]+\/(?:css|(?:x-)?javascript))/i

function isPage(headers: HeaderMap): boolean {
  return !NO_PAGE.test(headers.get('content-type') ?? '')
}

function bodyOf(body: unknown): string {
  if (typeof body === 'string') return body.length > MOST_BODY ? body.slice(0, MOST_BODY) : body
  if (!(body instanceof Uint8Array)) return ''
  return new TextDecoder().decode(body.subarray(0, MOST_BODY))
}

function headerMap(headers: unknown): HeaderMap {
  const map = new Map<string, string>()
  if (typeof headers !== 'object' || headers === null) return map
  const add = (value: unknown, name: unknown): void => {
    const line = Array.isArray(value) ? value.map(text).join('\n') : text(value)
    if (line === '' && value !== '') return
    const key = text(name).toLowerCase()
    const earlier = map.get(key)
    map.set(key, earlier === undefined ? line : `${earlier}\n${line}`)
  }
  if ('forEach' in headers && typeof headers.forEach === 'function') headers.forEach(add)
  else Object.entries(headers).forEach(([name, value]) => add(value, name))
  return map
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}
