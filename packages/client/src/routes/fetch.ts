import type { Answer } from '../call/answer.ts'
import { APIPromise } from '../call/promise.ts'
import type { Ask, Transport } from '../call/transport.ts'
import { NoAgentAvailableError } from '../errors/api-error.ts'
import { checkInteger, divided, throwIfAny, type OnceOptions } from '../options.ts'
import { newIdempotencyKey } from '../runtime.ts'
import { FETCH_ANSWER, type FetchAnswer, type FetchBody } from '../wire.ts'

/** Methods that may be sent to a target again: RFC 9110, section 9.2.2. */
const IDEMPOTENT: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']

const MOST_BLOCKS = 100
/** The gateway takes no longer ones. */
const MOST_KEY_LENGTH = 255

/** How a target is fetched, and how long that may take. `headers` are the target's, as those of `fetch` are. */
export interface FetchOptions extends Omit<FetchBody, 'url'>, Omit<OnceOptions, 'headers'> {
  /** Sent to the gateway besides the client's own. */
  readonly gatewayHeaders?: Readonly<Record<string, string>> | undefined
  /**
   * How often a target that turns an agent away (`meta.blocked`) is asked again at once, through another agent each time; 0 to 100.
   * Where no other agent is left, the last answer stands. Default 0.
   */
  readonly retryOnBlocked?: number | undefined
}

export function fetchTarget(
  transport: Transport,
  url: string | URL,
  options: FetchOptions,
): APIPromise<FetchAnswer> {
  return new APIPromise<FetchAnswer>(answered(transport, String(url), options), FETCH_ANSWER)
}

async function answered(transport: Transport, url: string, options: FetchOptions): Promise<Answer> {
  const { headers, gatewayHeaders, retryOnBlocked = 0, ...others } = options
  const { call, rest } = divided({ ...others, headers: gatewayHeaders })
  const problems: string[] = []
  checkInteger('retryOnBlocked', retryOnBlocked, 0, MOST_BLOCKS, problems)
  const { idempotencyKey = newIdempotencyKey(), ...wishes } = rest
  const longest = MOST_KEY_LENGTH - (retryOnBlocked > 0 ? `.${retryOnBlocked}`.length : 0)
  if (idempotencyKey !== null && idempotencyKey.length > longest) {
    problems.push(
      `idempotencyKey must have ${longest} characters at most, has ${idempotencyKey.length}`,
    )
  }
  throwIfAny('INVALID_REQUEST', problems)
  const body = { ...wishes, headers, url }
  const first: Ask = {
    method: 'POST',
    path: 'fetch',
    body,
    idempotencyKey,
    isRepeatable: idempotencyKey !== null || IDEMPOTENT.includes(body.method ?? 'GET'),
  }
  const course = transport.begin(first, call)
  let answer = await transport.ask(first, call, course)
  for (let n = 1; n <= retryOnBlocked; n++) {
    if (!(answer.read(FETCH_ANSWER) as FetchAnswer).meta.blocked) break
    try {
      // Another operation: under the first one's key the first answer would be given again.
      const key = idempotencyKey === null ? null : `${idempotencyKey}.${n}`
      const next = { ...first, idempotencyKey: key, waitsForAgent: false }
      answer = await transport.ask(next, call, course)
    } catch (error) {
      if (error instanceof NoAgentAvailableError) break
      throw error
    }
  }
  return answer
}
