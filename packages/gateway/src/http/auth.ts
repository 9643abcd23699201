import { HEADERS, type Scope } from '@ostler/api'
import type { FastifyRequest } from 'fastify'
import { isKeyForm, type ApiKey, type KeyRing } from '../keys/key.ts'
import { ApiError } from './api-error.ts'

const BEARER = /^Bearer +(\S+) *$/i

/**
 * The key of a request, by `Authorization: Bearer` or `X-API-Key`. What was presented never gets into a message.
 * @throws ApiError UNAUTHORIZED where none is presented or it has not the form of one, FORBIDDEN where it is unknown or revoked
 */
export function keyOf(request: Pick<FastifyRequest, 'headers'>, ring: KeyRing): ApiKey {
  const presented = presentedBy(request.headers)
  if (presented === null) {
    throw new ApiError('UNAUTHORIZED', 'an API key is needed: Authorization: Bearer ak_live_...')
  }
  return checkedKey(presented, ring)
}

/** @throws ApiError UNAUTHORIZED, FORBIDDEN */
export function checkedKey(presented: string, ring: KeyRing): ApiKey {
  if (!isKeyForm(presented)) {
    throw new ApiError('UNAUTHORIZED', 'an API key must look like ak_live_... or ak_test_...')
  }
  const key = ring.find(presented)
  if (key === null) throw new ApiError('FORBIDDEN', 'this API key is unknown, or it was revoked')
  return key
}

/** @throws ApiError INSUFFICIENT_SCOPE */
export function checkScope(key: ApiKey, scope: Scope): void {
  if (key.scopes.includes(scope)) return
  const message = `this needs the scope ${scope}; the key has ${key.scopes.join(', ') || 'none'}`
  throw new ApiError('INSUFFICIENT_SCOPE', message, { details: { needed: scope } })
}

function presentedBy(headers: FastifyRequest['headers']): string | null {
  const own = headers[HEADERS.apiKey]
  if (typeof own === 'string' && own !== '') return own
  const { authorization } = headers
  if (authorization === undefined) return null
  // Something that is no bearer token is malformed rather than missing.
  return BEARER.exec(authorization)?.[1] ?? ''
}
