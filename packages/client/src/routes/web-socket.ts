/** A WebSocket as browsers, Node 22, Deno, Bun, workers and the package `ws` have it: what of it is used here. */
export interface WebSocketLike {
  binaryType: string
  readonly protocol: string
  send(data: string | ArrayBuffer | Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'open' | 'error', listener: (event: object) => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void
}

export type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike
