import type { Server } from 'node:http'
import {
  LogController,
  type FastifyHttpOptions,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { ResolvedGatewayOptions } from '../options.ts'

type LoggerOptions = Exclude<FastifyHttpOptions<Server>['logger'], boolean | undefined>

/** A line for each request, once it is over: what it asked for, what it was answered, and how long that took. */
export class RequestLog extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const line = { req: request, res: reply, responseTime: reply.elapsedTime }
    if (error === null || error === undefined) reply.log.info(line, 'request completed')
    else reply.log.error({ ...line, err: error }, 'request errored')
  }
}

/** How lines are written: what authenticates and the query, which may hold a target's secrets, are in none. */
export function loggerOf(level: string, stream: ResolvedGatewayOptions['logTo']): LoggerOptions {
  // The gateway logs no headers; who adds routes to its app may.
  const names = ['authorization', 'cookie', 'x-api-key', 'set-cookie']
  const redact = names.flatMap((name) => [`headers["${name}"]`, `*.headers["${name}"]`])
  const options = { level, redact, serializers: { req: shownRequest } }
  return stream === null || stream === undefined ? options : { ...options, stream }
}

function shownRequest(request: { readonly method: string; readonly url: string }): {
  method: string
  path: string
} {
  return { method: request.method, path: request.url.split('?', 1)[0] }
}
