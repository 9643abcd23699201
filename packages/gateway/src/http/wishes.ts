import { Type } from 'typebox'

/** Fields that say what kind of agent is asked for, and for how long: the same wherever one is. */
export const geo = Type.Optional(Type.String({ maxLength: 256, description: 'As X-Geo' }))

export const session = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: 'As X-Session' }),
)

export const attempts = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 10, default: 1, description }))

/** In seconds. */
export const timeout = (description: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 300, default: 30, description }))
