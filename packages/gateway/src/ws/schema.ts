import { Type, type Static } from 'typebox'
import { geo } from '../http/wishes.ts'

const MOST_FIELDS = 100

/** How a WebSocket is asked for: its first message. */
export const ConnectBody = Type.Object(
  {
    apiKey: Type.String({ description: 'A key of the scope ws' }),
    url: Type.String({ maxLength: 8192, description: 'The target: ws or wss' }),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        maxProperties: MOST_FIELDS,
        description: 'What the target is sent',
      }),
    ),
    cookies: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        maxProperties: MOST_FIELDS,
        description: 'The same as a Cookie header',
      }),
    ),
    geo,
    agent: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'The only agent that will do' }),
    ),
    idle_timeout: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 3600,
        default: 3600,
        description: 'Seconds without a message in either direction',
      }),
    ),
  },
  { additionalProperties: false },
)
export type ConnectBody = Static<typeof ConnectBody>
