import { connect, type Socket } from 'node:net'

/** How a caller leaves: once he has what he waits for, with a word (FIN) or without (RST) as soon as he has sent all. */
export type Leaving = 'served' | 'ends' | 'resets'

/** What a caller sends, and what he then waits for. */
export interface Step {
  /** Each goes out by itself, once the system has taken the one before it. */
  readonly writes: readonly Buffer[]
  /** Whether what has come so far is all that he waits for. */
  isServed(received: Buffer): boolean
  /** Whether he may rely on it: who may not goes on where nothing comes for a while. */
  readonly mustBeServed: boolean
}

/** What came back. */
export interface Exchange {
  readonly received: Buffer
  /** Whether the connection was broken: the system then drops what the caller has not read. */
  readonly isBroken: boolean
}

/** What is not answered in so long is not waited for, unless it must be. */
const QUIET_MS = 25
/** For what must be answered, and for connections to end. */
const PATIENCE_MS = 10_000

/**
 * One caller, from his connection to its end: he takes his steps, and leaves. @throws Error where a step must be served and is not, or
 * the connection stays open after he has left
 */
export async function converse(
  port: number,
  steps: readonly Step[],
  leaving: Leaving,
): Promise<Exchange> {
  const caller = new Caller(port)
  for (const [i, step] of steps.entries()) {
    await caller.send(step.writes)
    const isLast = i === steps.length - 1
    if (!(isLast && leaving !== 'served')) await caller.wait(step)
  }
  await caller.leave(leaving)
  return { received: caller.received, isBroken: caller.isBroken }
}

class Caller {
  isBroken = false
  readonly #socket: Socket
  readonly #closed: Promise<void>
  #received: Buffer = Buffer.alloc(0)
  #hasEnded = false
  #wake = (): void => {}

  constructor(port: number) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    socket.on('error', () => (this.isBroken = true))
    socket.once('end', () => this.#end())
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#end()
        resolve()
      })
    })
  }

  get received(): Buffer {
    return this.#received
  }

  async send(writes: readonly Buffer[]): Promise<void> {
    for (const bytes of writes) {
      if (!this.#socket.writable) return
      await new Promise<void>((resolve) => {
        this.#socket.write(bytes, () => resolve())
      })
    }
  }

  async wait({ isServed, mustBeServed }: Step): Promise<void> {
    const patienceMs = mustBeServed ? PATIENCE_MS : QUIET_MS
    while (!this.#hasEnded && !isServed(this.#received)) {
      const change = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      if (!(await isQuiet(change, patienceMs))) continue
      if (!mustBeServed) return
      this.#socket.destroy()
      throw new Error(
        `nothing more came within ${PATIENCE_MS} ms, after ${this.#received.length} bytes`,
      )
    }
  }

  async leave(leaving: Leaving): Promise<void> {
    if (leaving === 'resets') this.#socket.resetAndDestroy()
    else this.#socket.end()
    if (!(await isQuiet(this.#closed, PATIENCE_MS))) return
    this.#socket.destroy()
    throw new Error(`the connection was still open ${PATIENCE_MS} ms after its caller had left`)
  }

  #end(): void {
    this.#hasEnded = true
    this.#wake()
  }
}

/** Whether nothing happens for so long. */
function isQuiet(event: Promise<void>, forMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(true), forMs)
    const happened = (): void => {
      clearTimeout(timer)
      resolve(false)
    }
    event.then(happened, happened)
  })
}
