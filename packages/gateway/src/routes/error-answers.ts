import { ERRORS, PROBLEM_TYPE } from '@ostler/api'
import { Type } from 'typebox'

const CODES = Object.keys(ERRORS)

export const ErrorAnswer = Type.Object({
  error: Type.Object({
    code: Type.String({ enum: CODES }),
    message: Type.String(),
    details: Type.Record(Type.String(), Type.Unknown()),
  }),
  meta: Type.Object({ requestId: Type.String() }),
})

const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String({ enum: CODES }),
  details: Type.Record(Type.String(), Type.Unknown()),
  requestId: Type.String(),
})

const anError = {
  description: 'An error, by its code; as a problem (RFC 9457) where that is asked for',
  content: {
    'application/json': { schema: ErrorAnswer },
    [PROBLEM_TYPE]: { schema: Problem },
  },
}

/** How any route may fail. */
export const errorAnswers = { '4xx': anError, '5xx': anError } as const
