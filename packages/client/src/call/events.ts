import { createParser } from 'eventsource-parser'
import { APIError } from '../errors/api-error.ts'
import { APIAbortError, APITimeoutError, connectionError } from '../errors/connection-error.ts'
import type { OstlerError } from '../errors/ostler-error.ts'
import type { Settings } from '../options.ts'
import type { Shape } from '../wire.ts'
import { excerptOf, mismatch, parsed } from './answer.ts'

/** The gateway says something every 15 s, if only that it is there. */
const SILENCE_MS = 60_000

/** An event of a stream, its data read as JSON. */
export interface ServerEvent {
  readonly event: string
  readonly data: unknown
}

/**
 * The events of a stream, up to its end. Who leaves the loop ends the stream, and so does the signal. Those that `shapes` names have
 * their form.
 * @throws APIAbortError, APITimeoutError after a silence of 60 s, APIConnectionError, APIError for what is no event of the gateway
 */
export async function* eventsOf(
  response: Response,
  shapes: Readonly<Record<string, Shape>>,
  { runtime, maxAnswerBytes }: Settings,
  signal: AbortSignal | undefined,
): AsyncGenerator<ServerEvent, void> {
  if (response.body === null) return
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  const events: ServerEvent[] = []
  let failure: OstlerError | null = null
  const end = (error: OstlerError): void => {
    failure ??= error
    // What waits for the stream is woken.
    letGo(reader)
  }
  const fail = (code: string, message: string, text?: string): void =>
    end(invalid(code, message, response, text))
  const parser = createParser({
    maxBufferSize: maxAnswerBytes,
    onEvent({ event = 'message', data: text }) {
      const data = parsed(text)
      const shape = Object.hasOwn(shapes, event) ? shapes[event] : null
      const problem = shape === null ? null : mismatch(shape, data, event)
      if (data === undefined) fail('INVALID_ANSWER', 'an event of the stream is no JSON', text)
      else if (problem !== null) fail('INVALID_ANSWER', `an event of the stream: ${problem}`, text)
      else if (failure === null) events.push({ event, data })
    },
    onError: ({ type, message }) => {
      if (type === 'max-buffer-size-exceeded') fail('ANSWER_TOO_LARGE', message)
    },
  })
  const aborted = (): void => end(new APIAbortError(signal?.reason))
  if (signal?.aborted === true) aborted()
  signal?.addEventListener('abort', aborted, { once: true })
  try {
    for (;;) {
      const silence = runtime.after(SILENCE_MS, () =>
        end(new APITimeoutError('the stream said nothing', SILENCE_MS)),
      )
      const { done, value } = await reader.read().finally(silence)
      if (failure !== null) throw failure as OstlerError
      if (done) return
      parser.feed(decoder.decode(value, { stream: true }))
      for (const event of events.splice(0)) {
        if ((failure as OstlerError | null) instanceof APIAbortError) break
        yield event
      }
    }
  } catch (thrown) {
    throw failure ?? connectionError(thrown)
  } finally {
    signal?.removeEventListener('abort', aborted)
    await reader.cancel().catch(() => undefined)
  }
}

function invalid(code: string, message: string, response: Response, text?: string): APIError {
  const { status, headers } = response
  return new APIError({
    status,
    code,
    message,
    headers,
    excerpt: text === undefined ? null : excerptOf(new TextEncoder().encode(text)),
  })
}

function letGo(reader: ReadableStreamDefaultReader): void {
  reader.cancel().catch(() => undefined)
}
