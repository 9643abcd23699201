import type { AmqpMessageEvent, AmqpProperties } from '@ostler/api'
import type { AMQPMessage, AMQPProperties, Field } from '@cloudamqp/amqp-client'
import { heldBody } from '../fetch/text.ts'

/** A message as the stream tells it. */
export function messageEvent(message: AMQPMessage, delivery: string): AmqpMessageEvent {
  const { exchange, routingKey, redelivered, properties, body } = message
  // A body that is compressed is no text, whatever its type says.
  const isPlain = properties.contentEncoding === undefined || properties.contentEncoding === ''
  return {
    delivery,
    exchange,
    routingKey,
    redelivered,
    properties: shownProperties(properties),
    ...heldBody(body ?? new Uint8Array(0), isPlain ? properties.contentType : undefined),
  }
}

function shownProperties({ headers, timestamp, ...others }: AMQPProperties): AmqpProperties {
  return {
    ...others,
    ...(headers !== undefined && { headers: shownField(headers) as Record<string, unknown> }),
    ...(timestamp !== undefined && { timestamp: shownTime(timestamp) }),
  }
}

/** A value of a header as JSON can hold it. */
function shownField(value: unknown): unknown {
  if (value instanceof Date) return shownTime(value)
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(shownField)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shownField(one)]))
}

/** Some write milliseconds where seconds belong, which is further than dates go. */
function shownTime(time: Date): string {
  return Number.isNaN(time.getTime()) ? 'invalid' : time.toISOString()
}

/** Properties as a caller gives them, for the library. */
export function sentProperties({ timestamp, headers, ...others }: AmqpProperties): AMQPProperties {
  return {
    ...others,
    ...(headers !== undefined && { headers: headers as Record<string, Field> }),
    ...(timestamp !== undefined && { timestamp: new Date(timestamp) }),
  }
}
