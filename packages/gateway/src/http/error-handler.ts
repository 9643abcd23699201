import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import {
  ERRORS,
  HEADERS,
  PROBLEM_TYPE,
  problemOf,
  type ApiErrorCode,
  type ErrorEnvelope,
  type FieldProblem,
} from '@ostler/api'
import { OstlerError, shown, type ErrorCode } from '@ostler/core'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { throwIfDenied } from './admission.ts'
import { TargetError } from '../target/error.ts'
import { ApiError } from './api-error.ts'
import { secondsFrom } from './rate-headers.ts'
import { newRequestId } from './request-id.ts'
import type { Turns } from './turns.ts'

/** What errors of the framework are to a caller. */
const FRAMEWORK: Readonly<Record<string, ApiErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_EMPTY_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
}

/** What errors of the connection are to a caller, beside what is no HTTP. */
const CLIENT: Readonly<Record<string, ApiErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
}

/** What errors of the core are to a caller: he gave the geo hint and the target, all else is the gateway's own doing. */
const CORE: Readonly<Partial<Record<ErrorCode, ApiErrorCode>>> = {
  INVALID_GEO: 'INVALID_GEO',
  INVALID_TARGET: 'INVALID_TARGET_URL',
  INVALID_REQUEST: 'BAD_REQUEST',
  INVALID_KEY: 'BAD_REQUEST',
  UNKNOWN_AGENT: 'NOT_FOUND',
  FLEET_FULL: 'CONFLICT',
  STORE_FULL: 'STORE_UNAVAILABLE',
  STORE_UNAVAILABLE: 'STORE_UNAVAILABLE',
  CLOSED: 'SHUTTING_DOWN',
}

/** Makes every error of an app one of the registry's, in the envelope or as a problem. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((thrown, request, reply) => {
    let error: unknown = thrown
    try {
      // Whatever else is wrong with it: who has nothing left is told that, and learns nothing more.
      throwIfDenied(request)
    } catch (denied) {
      error = denied
    }
    return sendError(reply, request, apiErrorOf(error))
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]
    return sendError(
      reply,
      request,
      new ApiError('NOT_FOUND', `there is no route ${request.method} ${path}`),
    )
  })
}

/** Answers what comes to no route at all, such as a path that cannot be decoded. */
export function answerFrameworkError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header(HEADERS.requestId, request.id)
  void sendError(reply, request, apiErrorOf(error))
}

function sendError(reply: FastifyReply, request: FastifyRequest, error: ApiError): FastifyReply {
  // Who has hung up was not failed.
  if (error.status >= 500 && !reply.raw.destroyed)
    request.log.warn({ err: error.cause ?? error, code: error.code }, 'failed')
  const envelope = envelopeOf(error, request.id)
  if (error.retryAfterMs !== null) {
    reply.header(HEADERS.retryAfter, String(Math.max(1, secondsFrom(error.retryAfterMs))))
  }
  return sendEnvelope(reply, request, envelope)
}

/** Sends an error in the form that its caller asks for. */
export function sendEnvelope(
  reply: FastifyReply,
  request: FastifyRequest,
  envelope: ErrorEnvelope,
): FastifyReply {
  reply.code(ERRORS[envelope.error.code].status).header('cache-control', 'no-store')
  if (!wantsProblem(request.headers.accept)) return reply.send(envelope)
  return reply.type(PROBLEM_TYPE).send(JSON.stringify(problemOf(envelope)))
}

/** How an error is told to whom it concerns. */
export function envelopeOf(error: ApiError, requestId: string): ErrorEnvelope {
  const { code, message, details } = error
  return { error: { code, message, details }, meta: { requestId } }
}

/** What any thrown value is to a caller. What was not foreseen says nothing of itself: its message is for the log alone. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof TargetError) {
    const code = error.code === 'TARGET_UNRESOLVED' ? 'BAD_GATEWAY' : error.code
    return new ApiError(code, error.message, { cause: error })
  }
  if (error instanceof OstlerError) {
    const code = CORE[error.code]
    if (code === 'STORE_UNAVAILABLE' || code === 'SHUTTING_DOWN') {
      return new ApiError(code, ERRORS[code].title, { cause: error, retryAfterMs: 1000 })
    }
    if (code !== undefined) return new ApiError(code, error.message, { cause: error })
  }
  const { code, validation, statusCode, message } = (error ?? {}) as Partial<FastifyError>
  if (validation !== undefined) return validationError(error as FastifyError)
  const known = code === undefined ? undefined : FRAMEWORK[code]
  if (known !== undefined)
    return new ApiError(known, message ?? ERRORS[known].title, { cause: error })
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new ApiError('BAD_REQUEST', message ?? ERRORS.BAD_REQUEST.title, { cause: error })
  }
  return new ApiError('INTERNAL_ERROR', ERRORS.INTERNAL_ERROR.title, { cause: error })
}

/** Every field that is wrong, by its path. */
function validationError(error: FastifyError): ApiError {
  const part = error.validationContext ?? 'request'
  const fields = (error.validation ?? []).map((problem): FieldProblem => {
    const { instancePath, message = 'is not as it must be', params } = problem
    const extra = params['additionalProperty'] ?? params['missingProperty']
    const path = `${part}${instancePath.replaceAll('/', '.')}`
    if (typeof extra === 'string') return { path: `${path}.${extra}`, message }
    const { data } = problem as { readonly data?: unknown }
    return { path, message: `${message}, got ${shown(data)}` }
  })
  const listed = fields.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new ApiError('VALIDATION_ERROR', listed, { details: { fields }, cause: error })
}

function wantsProblem(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes(PROBLEM_TYPE)
}

/** Connections of which it was said that they can't be read: each further piece says so again. */
const unreadable = new WeakSet<Socket>()

/** Answers what is no HTTP at all, or too much of it, when it is its turn: and ends the connection. */
export function answerClientError(
  error: Error & { readonly code?: string },
  socket: Socket,
  turns: Turns,
): void {
  const isKnown = unreadable.has(socket)
  unreadable.add(socket)
  const isGone = error.code === 'ECONNRESET' || socket.destroyed || !socket.writable
  // Who ends what could not be read waits for nothing any more.
  if (isGone || (isKnown && socket.readableEnded)) socket.destroy()
  else if (!isKnown) {
    turns.afterGarbage(
      socket,
      () => sendClientError(error, socket),
      () => socket.destroy(),
    )
  }
}

/** Answers on the connection itself, and ends it. */
export function sendClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  const code = CLIENT[error.code ?? ''] ?? 'BAD_REQUEST'
  const { status, title } = ERRORS[code]
  const requestId = newRequestId()
  const body = JSON.stringify(envelopeOf(new ApiError(code, title), requestId))
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `${HEADERS.requestId}: ${requestId}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
