import { Ajv } from 'ajv'
import type { FastifySchemaCompiler } from 'fastify'

const OPTIONS = { allErrors: true, verbose: true, strict: false, removeAdditional: false } as const

/** Checks requests by their schemas, all problems at once. Only what arrives as text is turned into numbers: a body has types of its own. */
export function validatorOf(): FastifySchemaCompiler<object> {
  const typed = new Ajv({ ...OPTIONS, coerceTypes: false })
  const textual = new Ajv({ ...OPTIONS, coerceTypes: true })
  return ({ schema, httpPart }) => (httpPart === 'body' ? typed : textual).compile(schema)
}
