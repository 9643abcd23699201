import { Type, type Static } from 'typebox'
import { attempts, geo, session, timeout } from '../http/wishes.ts'

/** Names, keys and most properties of AMQP are short strings: at most 255 bytes of UTF-8. */
const MOST_SHORT = 255
const MOST_BINDINGS = 100
const MOST_HEADERS = 100
/** Also of the deliveries of one acknowledgement. */
export const MOST_PREFETCH = 1_000

const short = (description: string, minLength = 0) =>
  Type.String({ minLength, maxLength: MOST_SHORT, description })

const where = {
  url: Type.String({
    maxLength: 8192,
    description: 'The broker: amqp or amqps, with credentials and a virtual host',
  }),
  geo,
  session,
  attempts: attempts('Agents tried at most, before anything is said to the broker'),
}

/** The body of `POST /amqp/consume`. */
export const ConsumeBody = Type.Object(
  {
    ...where,
    queue: Type.Optional(
      short('Whose messages are streamed; without a name the declared queue gets one'),
    ),
    declare: Type.Optional(
      Type.Object(
        {
          bindings: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  exchange: short('The exchange to bind the queue to', 1),
                  routingKey: Type.Optional(short('Default: the empty one')),
                },
                { additionalProperties: false },
              ),
              { maxItems: MOST_BINDINGS },
            ),
          ),
        },
        {
          additionalProperties: false,
          description: 'Declares the queue: for this stream alone, and gone with it',
        },
      ),
    ),
    ack: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Literal('manual')], {
        default: 'auto',
        description:
          'auto: acknowledged once handed to the connection to the reader; manual: by POST /amqp/streams/{id}/ack',
      }),
    ),
    prefetch: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MOST_PREFETCH,
        default: 20,
        description: 'Messages that are not acknowledged yet, at most',
      }),
    ),
    exclusive: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether this is to be the only consumer' }),
    ),
    timeout: timeout('Seconds until the stream is ready; there is no limit afterwards'),
  },
  { additionalProperties: false },
)
export type ConsumeBody = Static<typeof ConsumeBody>

const Properties = Type.Object(
  {
    contentType: Type.Optional(short('Such as application/json')),
    contentEncoding: Type.Optional(short('Such as gzip')),
    headers: Type.Optional(
      Type.Record(Type.String({ maxLength: MOST_SHORT }), Type.Unknown(), {
        maxProperties: MOST_HEADERS,
      }),
    ),
    deliveryMode: Type.Optional(
      Type.Union([Type.Literal(1), Type.Literal(2)], { description: '2 is kept on disk' }),
    ),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
    correlationId: Type.Optional(short('')),
    replyTo: Type.Optional(short('')),
    expiration: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,12}$', description: 'Ms, as a string' }),
    ),
    messageId: Type.Optional(short('')),
    timestamp: Type.Optional(
      Type.String({ maxLength: 40, description: 'ISO 8601; whole seconds' }),
    ),
    type: Type.Optional(short('')),
    userId: Type.Optional(short('')),
    appId: Type.Optional(short('')),
  },
  { additionalProperties: false },
)

/** The body of `POST /amqp/publish`. */
export const PublishBody = Type.Object(
  {
    ...where,
    exchange: Type.Optional(short('Default: the default exchange, which routes to the queue')),
    routingKey: short('Of the default exchange: the queue'),
    properties: Type.Optional(Properties),
    body: Type.String({ description: 'The message, as `encoding` says' }),
    encoding: Type.Optional(
      Type.Union([Type.Literal('text'), Type.Literal('base64')], { default: 'text' }),
    ),
    mandatory: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether a message that no queue gets is returned',
      }),
    ),
    timeout: timeout('Seconds for all of it'),
  },
  { additionalProperties: false },
)
export type PublishBody = Static<typeof PublishBody>

/** What became of a message. */
export const PublishAnswer = Type.Object({
  outcome: Type.Union(
    [Type.Literal('confirmed'), Type.Literal('returned'), Type.Literal('rejected')],
    {
      description:
        'confirmed: the broker has taken it; returned: no queue gets it; rejected: the broker could not keep it',
    },
  ),
  reply: Type.Optional(
    Type.Object(
      { code: Type.Integer(), text: Type.String() },
      { description: 'Why it was returned' },
    ),
  ),
  meta: Type.Object({
    agent: Type.Object({ id: Type.String(), country: Type.Union([Type.String(), Type.Null()]) }),
    attempts: Type.Integer({ description: 'Agents that were asked' }),
    distanceKm: Type.Union([Type.Number(), Type.Null()]),
    timingMs: Type.Number(),
    requestId: Type.String(),
  }),
})
export type PublishAnswer = Static<typeof PublishAnswer>

/** The body of `POST /amqp/streams/{id}/ack`. */
export const AckBody = Type.Object(
  {
    deliveries: Type.Array(Type.String({ maxLength: 20 }), {
      minItems: 1,
      maxItems: MOST_PREFETCH,
      description: 'Of `message` events',
    }),
    action: Type.Optional(
      Type.Union([Type.Literal('ack'), Type.Literal('nack'), Type.Literal('requeue')], {
        default: 'ack',
        description:
          'ack: done; nack: dropped, or dead-lettered where the queue says so; requeue: back into the queue',
      }),
    ),
  },
  { additionalProperties: false },
)
export type AckBody = Static<typeof AckBody>

export const AckAnswer = Type.Object({
  settled: Type.Array(Type.String(), {
    description: 'Told to the broker, which does not confirm it',
  }),
  unknown: Type.Array(Type.String(), {
    description: 'Never delivered by this stream, or settled before',
  }),
})
export type AckAnswer = Static<typeof AckAnswer>
