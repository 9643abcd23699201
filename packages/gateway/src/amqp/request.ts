import { HEADERS, type AmqpProperties, type FieldProblem } from '@ostler/api'
import { bytesOf, headerOf } from '../fetch/request.ts'
import { ApiError } from '../http/api-error.ts'
import { DEFAULT_TIMEOUT_S } from '../http/wishes.ts'
import type { ConsumeBody, PublishBody } from './schema.ts'

const DEFAULT_PREFETCH = 20
const MOST_SHORT_BYTES = 255
const MOST_DEPTH = 16

/** Which broker, and through whom. */
export interface AskedBroker {
  readonly url: string
  readonly geo: string | null
  readonly session: string | null
  readonly attempts: number
  readonly timeoutMs: number
}

export interface Binding {
  readonly exchange: string
  readonly routingKey: string
}

export interface AskedConsume extends AskedBroker {
  readonly queue: string
  /** Null where the queue is there already. */
  readonly bindings: readonly Binding[] | null
  readonly ack: 'auto' | 'manual'
  readonly prefetch: number
  readonly exclusive: boolean
}

export interface AskedPublish extends AskedBroker {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: AmqpProperties
  readonly body: Uint8Array
  readonly mandatory: boolean
}

type Headers = Readonly<Record<string, unknown>>

/** @throws ApiError VALIDATION_ERROR */
export function askedConsume(body: ConsumeBody, headers: Headers): AskedConsume {
  const { queue = '', declare } = body
  const problems: FieldProblem[] = []
  if (queue === '' && declare === undefined) {
    problems.push({ path: 'body.queue', message: 'must be given, or the queue be declared' })
  }
  const bindings = declare?.bindings?.map(({ exchange, routingKey = '' }) => ({
    exchange,
    routingKey,
  }))
  checkShort(problems, 'body.queue', queue)
  for (const [i, binding] of (bindings ?? []).entries()) {
    for (const [name, value] of Object.entries(binding)) {
      checkShort(problems, `body.declare.bindings.${i}.${name}`, value)
    }
  }
  throwIfAny(problems)
  return {
    ...askedBroker(body, headers),
    queue,
    bindings: declare === undefined ? null : (bindings ?? []),
    ack: body.ack ?? 'auto',
    prefetch: body.prefetch ?? DEFAULT_PREFETCH,
    exclusive: body.exclusive ?? false,
  }
}

/** @throws ApiError VALIDATION_ERROR */
export function askedPublish(body: PublishBody, headers: Headers): AskedPublish {
  const { exchange = '', routingKey, properties = {}, encoding = 'text', mandatory = false } = body
  const problems: FieldProblem[] = []
  checkShort(problems, 'body.exchange', exchange)
  checkShort(problems, 'body.routingKey', routingKey)
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'string') checkShort(problems, `body.properties.${name}`, value)
  }
  checkHeaders(problems, 'body.properties.headers', properties.headers ?? {}, 1)
  if (properties.timestamp !== undefined && Number.isNaN(Date.parse(properties.timestamp))) {
    problems.push({ path: 'body.properties.timestamp', message: 'must be a time of ISO 8601' })
  }
  throwIfAny(problems)
  return {
    ...askedBroker(body, headers),
    exchange,
    routingKey,
    properties,
    body: bytesOf(body.body, encoding),
    mandatory,
  }
}

function askedBroker(
  { url, geo, session, attempts = 1, timeout = DEFAULT_TIMEOUT_S }: ConsumeBody | PublishBody,
  headers: Headers,
): AskedBroker {
  return {
    url,
    geo: geo ?? headerOf(headers, HEADERS.geo) ?? null,
    session: session ?? headerOf(headers, HEADERS.session) ?? null,
    attempts,
    timeoutMs: Math.ceil(timeout * 1000),
  }
}

/** A schema counts characters, AMQP counts bytes. */
function checkShort(problems: FieldProblem[], path: string, text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= MOST_SHORT_BYTES) return
  const message = `must have at most ${MOST_SHORT_BYTES} bytes of UTF-8, has ${bytes}`
  problems.push({ path, message })
}

function checkHeaders(problems: FieldProblem[], path: string, table: object, depth: number): void {
  if (depth > MOST_DEPTH) {
    problems.push({ path, message: `must be nested at most ${MOST_DEPTH} deep` })
    return
  }
  for (const [name, value] of Object.entries(table)) {
    checkShort(problems, `${path}.${name.slice(0, 40)}`, Array.isArray(table) ? '' : name)
    if (typeof value === 'object' && value !== null) {
      checkHeaders(problems, `${path}.${name.slice(0, 40)}`, value, depth + 1)
    }
  }
}

function throwIfAny(fields: readonly FieldProblem[]): void {
  if (fields.length === 0) return
  const listed = fields.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new ApiError('VALIDATION_ERROR', listed, { details: { fields } })
}
