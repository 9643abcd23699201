import { HEADERS } from '@ostler/api'
import { apiError, type APIError } from '../errors/api-error.ts'
import type { Shape } from '../wire.ts'
import { retryAfterOf } from './retry-after.ts'

const EXCERPT_BYTES = 512
/** Of what somebody else says, in a message. */
export const MOST_SHOWN = 200

/** An answer whose body has been read. */
export class Answer {
  readonly status: number
  readonly headers: Headers
  readonly #bytes: Uint8Array<ArrayBuffer>
  #json: unknown

  constructor(status: number, headers: Headers, bytes: Uint8Array<ArrayBuffer>) {
    this.status = status
    this.headers = headers
    this.#bytes = bytes
  }

  get requestId(): string | null {
    return this.headers.get(HEADERS.requestId)
  }

  /** The body as JSON. @throws APIError INVALID_ANSWER where it is none, or not of this shape */
  read(shape: Shape): unknown {
    this.#json ??= this.#parsed()
    const problem = mismatch(shape, this.#json, 'it')
    if (problem !== null) throw this.#invalid(problem)
    return this.#json
  }

  /** The error that it is: by the envelope, or by its status where there is none. `nowMs`: for a `Retry-After` that is a date. */
  error(nowMs: number): APIError {
    const { status, headers } = this
    const retryAfter = retryAfterOf(headers, nowMs)
    const body = this.#parsed()
    if (mismatch(ENVELOPE, body, '') !== null) {
      return this.#invalid('it has not the form of an error of the gateway', retryAfter)
    }
    const { error, meta } = body as Envelope
    const { code, message, details } = error
    const { requestId } = meta
    return apiError({ status, code, message, details, requestId, headers, retryAfter })
  }

  /** The same as `fetch` would give it. Its body is here already. */
  toResponse(): Response {
    const { status, headers } = this
    return new Response(this.#bytes.length === 0 ? null : this.#bytes, { status, headers })
  }

  #parsed(): unknown {
    return parsed(new TextDecoder().decode(this.#bytes))
  }

  #invalid(problem: string, retryAfter: number | null = null): APIError {
    const { status, headers, requestId } = this
    const type = headers.get('content-type')?.slice(0, MOST_SHOWN) ?? 'no content type'
    const message = `an answer ${status} of ${type} is none of the gateway's: ${problem}`
    const excerpt = excerptOf(this.#bytes)
    const code = 'INVALID_ANSWER'
    return apiError({ status, code, message, requestId, headers, retryAfter, excerpt })
  }
}

export interface Envelope {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly details: Readonly<Record<string, unknown>>
  }
  readonly meta: { readonly requestId: string }
}

/** How the gateway tells an error. */
export const ENVELOPE: Shape = {
  error: { code: 'string', message: 'string', details: {} },
  meta: { requestId: 'string' },
}

export function excerptOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, EXCERPT_BYTES))
}

/** Undefined for what is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What keeps a value from being of a shape; null where nothing does. */
export function mismatch(shape: Shape, value: unknown, path: string): string | null {
  if (typeof shape === 'string') {
    const type = Array.isArray(value) ? 'array' : typeof value
    return type === shape ? null : `${path} must be of type ${shape}, is ${type}`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `${path} must be a JSON object`
  }
  for (const [field, inner] of Object.entries(shape)) {
    const problem = mismatch(inner, (value as Record<string, unknown>)[field], `${path}.${field}`)
    if (problem !== null) return problem
  }
  return null
}
