import { Type } from 'typebox'

/** Fields that say what kind of agent is asked for, and for how long: the same wherever one is. */
export const geo = Type.Optional(Type.String({ maxLength: 256, description: 'As X-Geo' }))

export const session = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: 'As X-Session' }),
)

export const attempts = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 10, default: 1, description }))

/** Headers that say the same. */
export const wishHeaders = {
  'x-geo': Type.Optional(
    Type.String({
      description: 'Where from: DE, DE,AT, US-CA, 48.21,16.37, EU; ;strict ;radius=500 -GB',
    }),
  ),
  'x-session': Type.Optional(
    Type.String({ description: 'Requests of one session keep their agent' }),
  ),
}

/** Of what is done once under its key. */
export const onceHeaders = {
  'idempotency-key': Type.Optional(
    Type.String({
      maxLength: 255,
      description: 'Whoever asks again under it within a day is given the first answer',
    }),
  ),
}

export const DEFAULT_TIMEOUT_S = 30

/** In seconds. */
export const timeout = (description: string) =>
  Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 300, default: DEFAULT_TIMEOUT_S, description }),
  )
