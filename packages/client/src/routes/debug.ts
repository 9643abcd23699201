import { APIPromise } from '../call/promise.ts'
import type { Transport } from '../call/transport.ts'
import type { CallOptions } from '../options.ts'
import { PICK_ANSWER, type PickAnswer } from '../wire.ts'

export interface PickOptions extends CallOptions {
  /** As of `fetch`. */
  readonly geo?: string | undefined
  /** As of `fetch`. */
  readonly session?: string | undefined
}

/** `client.debug`: which agent a target would be fetched through. */
export class Debug {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Which agent would be picked now, and why; nothing is taken. */
  pick(url: string | URL, options: PickOptions = {}): APIPromise<PickAnswer> {
    const { geo, session } = options
    const query = { url: String(url), geo, session }
    const ask = { method: 'GET', path: 'debug/pick', query, isRepeatable: true } as const
    return new APIPromise<PickAnswer>(this.#transport.ask(ask, options), PICK_ANSWER)
  }
}
