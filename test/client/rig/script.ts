import { ERRORS, type ApiErrorCode } from '@ostler/api'
import { Ostler, type ClientOptions } from '@ostler/client'
import { VirtualRuntime } from './virtual.ts'

/** What the other side does with one attempt. */
export type Step = (request: Request, runtime: VirtualRuntime) => Response | Promise<Response>

/** A client whose other side follows a script, under virtual time. What comes after its last step is that step again. */
export interface Scripted {
  readonly client: Ostler
  readonly runtime: VirtualRuntime
  /** Attempts so far, each with the instant of its beginning. */
  readonly attempts: readonly { readonly atMs: number; readonly request: Request }[]
}

export function scripted(steps: readonly Step[], options: ClientOptions = {}): Scripted {
  const runtime = new VirtualRuntime()
  const attempts: { atMs: number; request: Request }[] = []
  const client = new Ostler({
    apiKey: 'ak_test_0123456789abcdef',
    baseUrl: 'http://gateway.example/',
    runtime,
    fetch: async (input, init) => {
      const { redirect: _, ...rest } = init ?? {}
      const request = new Request(input as string, rest)
      attempts.push({ atMs: runtime.passedMs, request })
      const step = steps[Math.min(attempts.length, steps.length) - 1]
      return step(request, runtime)
    },
    ...options,
  })
  return { client, runtime, attempts }
}

export const USAGE: object = {
  key: { id: 'k', tier: 'free' },
  sinceMs: 1,
  total: 0,
  ok: 0,
  blocked: 0,
  failed: 0,
  successShare: null,
  byProtocol: { http: 0, ws: 0, amqp: 0 },
  topDomains: [],
  limits: [],
}

/** An answer to `POST /fetch`. */
export function fetched(blocked = false): object {
  return {
    meta: {
      status: blocked ? 403 : 200,
      blocked,
      outcome: blocked ? 'blocked' : 'ok',
      agent: { id: 'a1', country: 'DE' },
      attempts: 1,
      distanceKm: 1,
      timingMs: 1,
      requestId: 'req_1',
    },
    headers: {},
    body: 'Oats',
    encoding: 'text',
  }
}

/** An answer for whatever is asked. */
export const fine: Step = (request) =>
  Response.json(new URL(request.url).pathname === '/fetch' ? fetched() : USAGE)

export const blocked: Step = () => Response.json(fetched(true))

const HEALTH: object = {
  domain: 'shop.example',
  counts: { available: 1, limited: 0, unavailable: 0 },
  nextRecoveryAtMs: null,
  agents: [],
  next: null,
}

/** What a queue's stream says of a message. */
export const MESSAGE: object = {
  delivery: '1',
  exchange: '',
  routingKey: 'q',
  redelivered: false,
  properties: {},
  body: 'Oats',
  encoding: 'text',
}

/** An event as a stream has it. */
export function told(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/** A stream that goes on after its first event, for whoever asks for one. */
export const events: Step = () =>
  new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(
          new TextEncoder().encode(told('health', HEALTH) + told('message', MESSAGE)),
        )
      },
    }),
    { headers: { 'content-type': 'text/event-stream; charset=utf-8' } },
  )

/** An error as the gateway tells it. */
export function refuse(
  code: ApiErrorCode,
  headers: Readonly<Record<string, string>> = {},
  details: object = {},
): Step {
  const body = { error: { code, message: `${code} it is`, details }, meta: { requestId: 'req_1' } }
  return () => Response.json(body, { status: ERRORS[code].status, headers })
}

/** An error of something in between. */
export function page(status: number, headers: Readonly<Record<string, string>> = {}): Step {
  return () =>
    new Response('<html>no</html>', {
      status,
      headers: { 'content-type': 'text/html', ...headers },
    })
}

/** A connection that fails. */
export const cut: Step = () => {
  throw new TypeError('fetch failed', { cause: new Error('read ECONNRESET') })
}

/** No answer, ever; ends when its signal does. */
export const hang: Step = (request) =>
  new Promise((_, reject) => {
    request.signal.addEventListener('abort', () => reject(request.signal.reason as Error))
  })

/** No answer, and no ear for the signal. */
export const deaf: Step = () => new Promise<Response>(() => {})

/** Another step, so much later. */
export function later(ms: number, step: Step): Step {
  return async (request, runtime) => {
    await runtime.wait(ms)
    return step(request, runtime)
  }
}

/** Half a body, and then nothing more, or the end of the connection. */
export function half(then: 'hangs' | 'is cut'): Step {
  return () =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('{"key":'))
          if (then === 'is cut') controller.error(new TypeError('terminated'))
        },
      }),
      { headers: { 'content-type': 'application/json' } },
    )
}
