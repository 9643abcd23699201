import { Type, type Static } from 'typebox'
import { attempts, geo, session, timeout } from '../http/wishes.ts'

const MOST_URL = 8192
const MOST_HEADERS = 100

/** How a target is asked for: the body of `POST /fetch`. */
export const FetchBody = Type.Object(
  {
    url: Type.Optional(
      Type.String({ maxLength: MOST_URL, description: 'The target: http or https' }),
    ),
    method: Type.Optional(
      Type.String({ pattern: '^[A-Z]{1,20}$', default: 'GET', description: 'Any method' }),
    ),
    headers: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: MOST_HEADERS })]),
        { maxProperties: MOST_HEADERS, description: 'What the target is sent' },
      ),
    ),
    body: Type.Optional(
      Type.String({ description: 'What the target is sent, as `encoding` says' }),
    ),
    encoding: Type.Optional(
      Type.Union([Type.Literal('text'), Type.Literal('base64')], { default: 'text' }),
    ),
    timeout: timeout('Seconds for all of it'),
    geo,
    session,
    attempts: attempts('Agents tried at most, where the method is idempotent'),
    redirect: Type.Optional(
      Type.Union([Type.Literal('manual'), Type.Literal('follow')], { default: 'manual' }),
    ),
  },
  { additionalProperties: false },
)
export type FetchBody = Static<typeof FetchBody>

/** The same where there is no body: `GET /fetch`. */
export const FetchQuery = Type.Pick(FetchBody, [
  'url',
  'timeout',
  'geo',
  'session',
  'attempts',
  'redirect',
])
export type FetchQuery = Static<typeof FetchQuery>

/** The target's answer, and how it was had. */
export const FetchAnswer = Type.Object({
  meta: Type.Object({
    status: Type.Integer({ description: "The target's status" }),
    blocked: Type.Boolean({
      description: 'Whether the agent was turned away: the next request goes to another',
    }),
    outcome: Type.String({
      description: 'What the answer came to: ok, rate_limited, challenged, blocked ...',
    }),
    vendor: Type.Optional(Type.String({ description: 'Who protects the target, where it shows' })),
    evidence: Type.Optional(Type.String({ description: 'Why it counts as blocked' })),
    agent: Type.Object({
      id: Type.String(),
      country: Type.Union([Type.String(), Type.Null()]),
    }),
    attempts: Type.Integer({ description: 'Agents that were asked' }),
    url: Type.Optional(Type.String({ description: 'Where redirects ended' })),
    distanceKm: Type.Union([Type.Number(), Type.Null()]),
    timingMs: Type.Number({ description: 'From the request to the last byte' }),
    requestId: Type.String(),
    degraded: Type.Optional(
      Type.Boolean({ description: 'The store was out of reach: decided in this process' }),
    ),
    truncated: Type.Optional(Type.Boolean({ description: 'The body was longer than is kept' })),
  }),
  headers: Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())])),
  body: Type.String(),
  encoding: Type.Union([Type.Literal('text'), Type.Literal('base64')]),
})
export type FetchAnswer = Static<typeof FetchAnswer>
