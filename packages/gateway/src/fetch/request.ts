import { HEADERS } from '@ostler/api'
import { ApiError } from '../http/api-error.ts'
import { DEFAULT_TIMEOUT_S } from '../http/wishes.ts'
import type { FetchBody } from './schema.ts'

/** Methods that may be sent again to another agent: RFC 9110, 9.2.2; without TRACE, which is not for targets. */
const IDEMPOTENT: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.includes(method)
}

/** What a caller asks for, with every default filled in. */
export interface AskedFetch {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Uint8Array | null
  readonly timeoutMs: number
  readonly geo: string | null
  readonly session: string | null
  /** Agents to be tried at most: one where the method may not be repeated. */
  readonly attempts: number
  readonly redirect: 'manual' | 'follow'
}

/** Reads what is asked for: the body goes before headers, and headers before the query. @throws ApiError MISSING_TARGET_URL */
export function askedOf(
  body: FetchBody,
  headers: Readonly<Record<string, unknown>>,
  query: { readonly url?: string } = {},
): AskedFetch {
  const url = body.url ?? headerOf(headers, HEADERS.targetUrl) ?? query.url
  if (url === undefined || url === '') {
    const message = 'no target: give `url` in the body, the header X-Target-URL, or ?url='
    throw new ApiError('MISSING_TARGET_URL', message)
  }
  const method = body.method ?? 'GET'
  return {
    url,
    method,
    headers: body.headers ?? {},
    body: body.body === undefined ? null : bytesOf(body.body, body.encoding ?? 'text'),
    timeoutMs: Math.ceil((body.timeout ?? DEFAULT_TIMEOUT_S) * 1000),
    geo: body.geo ?? headerOf(headers, HEADERS.geo) ?? null,
    session: body.session ?? headerOf(headers, HEADERS.session) ?? null,
    attempts: isIdempotent(method) ? (body.attempts ?? 1) : 1,
    redirect: body.redirect ?? 'manual',
  }
}

/** A header that is there, once. */
export function headerOf(
  headers: Readonly<Record<string, unknown>>,
  name: string,
): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** A body as its encoding says. @throws ApiError VALIDATION_ERROR */
export function bytesOf(body: string, encoding: 'text' | 'base64'): Uint8Array {
  if (encoding === 'text') return Buffer.from(body, 'utf8')
  if (!BASE64.test(body)) {
    const fields = [{ path: 'body.body', message: 'must be base64, as body.encoding says' }]
    throw new ApiError('VALIDATION_ERROR', `${fields[0].path} ${fields[0].message}`, {
      details: { fields },
    })
  }
  return Buffer.from(body, 'base64')
}
