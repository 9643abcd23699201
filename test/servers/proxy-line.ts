import type { Socket } from 'node:net'

/** One connection through a proxy, with both of its ends. */
export class Line {
  /** Bytes are missing in one of its directions: what would follow is kept back. */
  gap = false
  /** Bytes of replies since the newest fault began. */
  replied = 0
  readonly #client: Socket
  readonly #target: Socket
  /** Replies that are still to come, in order: none overtakes another. */
  readonly #late: { readonly dueMs: number; readonly bytes: Buffer }[] = []

  constructor(client: Socket, target: Socket, onClose: () => void) {
    this.#client = client
    this.#target = target
    const close = (): void => {
      client.destroy()
      target.destroy()
      onClose()
    }
    for (const socket of [client, target]) socket.on('error', close).on('close', close)
  }

  request(bytes: Buffer): void {
    if (!this.gap) this.#target.write(bytes)
  }

  reply(bytes: Buffer, delayMs = 0): void {
    if (this.gap) return
    if (delayMs === 0 && this.#late.length === 0) {
      this.#client.write(bytes)
      return
    }
    this.#late.push({ dueMs: performance.now() + delayMs, bytes })
    if (this.#late.length === 1) setTimeout(() => this.#drain(), delayMs)
  }

  /** Says this last thing, and ends. Not by a reset: that would take what is still on its way along. */
  end(last: Buffer): void {
    this.#client.end(last, () => this.#client.destroy())
    this.#target.destroy()
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#target.destroy()
  }

  #drain(): void {
    while (this.#late.length > 0 && this.#client.writable) {
      const leftMs = this.#late[0].dueMs - performance.now()
      if (leftMs > 0) {
        setTimeout(() => this.#drain(), Math.ceil(leftMs))
        return
      }
      this.#client.write(this.#late[0].bytes)
      this.#late.shift()
    }
  }
}
