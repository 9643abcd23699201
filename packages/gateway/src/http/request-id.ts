import { randomUUID } from 'node:crypto'

/** Names one request where callers and those who run the gateway speak of it. */
export function newRequestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`
}
