import type { Shape } from '../wire.ts'
import type { Answer } from './answer.ts'

/**
 * A promise of what an answer holds. The request is under way from the beginning, and is made once, whatever is asked of it:
 * `await promise` for the data alone, `withResponse()` for both, `asResponse()` for the answer as `fetch` would give it.
 */
export class APIPromise<T> extends Promise<T> {
  readonly #answer: Promise<Answer>
  readonly #shape: Shape
  #data: Promise<T> | null = null

  /** Promises that come of it are plain ones. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  constructor(answer: Promise<Answer>, shape: Shape) {
    // What it was given is not read before it is asked for: see `then`.
    super((resolve) => resolve(undefined as T))
    this.#answer = answer
    this.#shape = shape
  }

  /** The data, and the answer that it came in. */
  async withResponse(): Promise<{
    readonly data: T
    readonly response: Response
    readonly requestId: string | null
  }> {
    const { requestId } = await this.#answer
    return { data: await this.#read(), response: await this.asResponse(), requestId }
  }

  /** The answer, whose body is there already, and is not looked at. An error of the gateway is thrown here too. */
  async asResponse(): Promise<Response> {
    return (await this.#answer).toResponse()
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise, whose data is read when it is asked for
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#read().then(onFulfilled, onRejected)
  }

  override catch<B = never>(
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<T | B> {
    return this.#read().catch(onRejected)
  }

  override finally(onFinally?: (() => void) | null): Promise<T> {
    return this.#read().finally(onFinally)
  }

  #read(): Promise<T> {
    this.#data ??= this.#answer.then((answer) => answer.read(this.#shape) as T)
    return this.#data
  }
}
