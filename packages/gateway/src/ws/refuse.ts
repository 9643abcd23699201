import { closeCodeOf, type SocketErrorMessage } from '@ostler/api'
import type { WebSocket } from 'ws'
import type { SocketFailure } from './failure.ts'

/** Tells a caller what is wrong, and closes. Nothing where he is gone. */
export function refuse(client: WebSocket, { code, message, details }: SocketFailure): void {
  if (client.readyState !== client.OPEN) return
  const told: SocketErrorMessage = { type: 'error', code, message, details }
  client.send(JSON.stringify(told))
  client.close(closeCodeOf(code), closeReason(message))
}

const MOST_REASON_BYTES = 123

/** As much of a text as a close frame holds: RFC 6455, section 5.5. */
export function closeReason(text: string): string {
  if (Buffer.byteLength(text) <= MOST_REASON_BYTES) return text
  // A character that is cut in two decodes to one that stands for no other.
  const cut = Buffer.from(text).toString('utf8', 0, MOST_REASON_BYTES - 3)
  return cut.replace(/\uFFFD$/, '')
}
