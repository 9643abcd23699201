import { HEADERS } from '@ostler/api'
import { apiError, type APIError } from '../errors/api-error.ts'
import { OstlerError } from '../errors/ostler-error.ts'
import { patienceOf, type CallOptions, type Settings } from '../options.ts'
import { Answer, excerptOf, MOST_SHOWN } from './answer.ts'
import { readBody } from './body.ts'
import { begin, persist, type Course } from './persist.ts'

/** Of an answer that is an error: those of the gateway are a few KiB. */
const MOST_ERROR_BYTES = 1024 * 1024
/** What the gateway and the network need besides what a target is given. */
const GRACE_MS = 10_000

/** A request to the gateway. */
export interface Ask {
  readonly method: 'GET' | 'POST'
  /** Without a slash at its beginning. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: object
  readonly accept?: 'text/event-stream'
  readonly idempotencyKey?: string | null
  /** Whether what may have been done can be asked for again. */
  readonly isRepeatable: boolean
  /** Whether an agent is waited for, where there is none now. Default true. */
  readonly waitsForAgent?: boolean
}

/** Who sends requests, again where that helps, and reads answers. */
export class Transport {
  readonly settings: Settings

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** Begins a call that may be of several requests, of which this is the first. @throws OstlerError INVALID_REQUEST */
  begin({ body = {} }: Pick<Ask, 'body'>, call: CallOptions): Course {
    const { timeout } = body as { readonly timeout?: unknown }
    // What is no number of seconds is the gateway's to refuse.
    const leastMs = Number.isFinite(timeout) ? Math.ceil(Number(timeout) * 1000) + GRACE_MS : 0
    return begin(patienceOf(this.settings, call, leastMs), this.settings.runtime)
  }

  /** Asks until there is an answer to read, or an error that stays. @throws OstlerError */
  async ask(ask: Ask, call: CallOptions, course: Course = this.begin(ask, call)): Promise<Answer> {
    const { maxAnswerBytes } = this.settings
    return this.#persist(ask, call, course, async (response, signal) => {
      const { bytes, isCut } = await readBody(response, maxAnswerBytes, signal)
      if (isCut) {
        const message = `an answer of more than ${maxAnswerBytes} bytes is not read`
        const { status, headers } = response
        const excerpt = excerptOf(bytes)
        throw apiError({ status, code: 'ANSWER_TOO_LARGE', message, headers, excerpt })
      }
      return new Answer(response.status, response.headers, bytes)
    })
  }

  /** Asks until a stream of events begins, whose body is then the caller's to read or to cancel. @throws OstlerError */
  async open(ask: Ask, call: CallOptions): Promise<Response> {
    return this.#persist(ask, call, this.begin(ask, call), async (response, signal) => {
      const type = response.headers.get('content-type') ?? ''
      if (type.startsWith('text/event-stream')) return response
      throw await this.#errorOf(response, signal)
    })
  }

  async #persist<T>(
    ask: Ask,
    call: CallOptions,
    course: Course,
    take: (response: Response, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { runtime, fetch, logger } = this.settings
    const { url, init } = this.#request(ask, call)
    const what = `${ask.method} /${ask.path}`
    logger.debug?.(what)
    return persist({
      course,
      runtime,
      isRepeatable: ask.isRepeatable,
      waitsForAgent: ask.waitsForAgent ?? true,
      attempt: async (signal) => {
        const response = await fetch(url, { ...init, signal })
        // A `fetch` that heeds no signal may answer those who have left.
        if (signal.aborted) {
          await response.body?.cancel()
          throw signal.reason
        }
        if (!response.ok) throw await this.#errorOf(response, signal)
        return take(response, signal)
      },
      onRetry: (error, waitMs, retry) => {
        const again = `again in ${Math.round(waitMs)} ms, retry ${retry} of ${course.patience.maxRetries}`
        logger.warn?.(`${what}: ${error.code}, ${again}`)
      },
    })
  }

  /** Made once for all attempts, so that they are one. @throws OstlerError INVALID_REQUEST */
  #request(ask: Ask, call: CallOptions): { readonly url: string; readonly init: RequestInit } {
    const { apiKey, baseUrl, headers: always } = this.settings
    const { method, path, query = {}, body, accept = 'application/json' } = ask
    const { idempotencyKey = null } = ask
    try {
      const headers = headersOf({ accept }, always, call.headers)
      headers.set('authorization', `Bearer ${apiKey}`)
      if (body !== undefined) headers.set('content-type', 'application/json')
      if (idempotencyKey !== null) headers.set(HEADERS.idempotencyKey, idempotencyKey)
      const asked = new URLSearchParams()
      for (const [name, value] of Object.entries(query)) {
        if (value !== undefined) asked.set(name, String(value))
      }
      const search = asked.toString()
      // A redirect is told, never followed: the key would go along, or the body stay behind.
      const init: RequestInit = { method, headers, redirect: 'manual' }
      if (body !== undefined) init.body = JSON.stringify(body)
      return { url: `${baseUrl}${path}${search && `?${search}`}`, init }
    } catch (cause) {
      if (cause instanceof OstlerError) throw cause
      const message = `the request cannot be sent: ${(cause as Error).message}`
      throw new OstlerError('INVALID_REQUEST', message, { cause })
    }
  }

  async #errorOf(response: Response, signal: AbortSignal): Promise<APIError> {
    const { status, headers, type } = response
    if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      await response.body?.cancel()
      // Without its query, which would have the target in it.
      const where =
        headers.get('location')?.split('?', 1)[0].slice(0, MOST_SHOWN) ?? 'another place'
      const message = `the gateway is not at baseUrl: its answer ${status} leads to ${where}`
      return apiError({ status, code: 'REDIRECTED', message, headers })
    }
    const { bytes } = await readBody(response, MOST_ERROR_BYTES, signal)
    return new Answer(status, headers, bytes).error(this.settings.runtime.nowMs())
  }
}

/** Of fields that are in several the last counts, however it is written. @throws OstlerError INVALID_REQUEST, without the value */
function headersOf(...all: readonly (CallOptions['headers'] | undefined)[]): Headers {
  const headers = new Headers()
  for (const [name, value] of all.flatMap((some) => Object.entries(some ?? {}))) {
    try {
      headers.set(name, value)
    } catch {
      const shown = JSON.stringify(name.slice(0, MOST_SHOWN))
      throw new OstlerError('INVALID_REQUEST', `the header ${shown} cannot have its name or value`)
    }
  }
  return headers
}
