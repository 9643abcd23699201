import { Ajv } from 'ajv'
import type { FastifySchemaCompiler } from 'fastify'

const OPTIONS = { verbose: true, strict: false, removeAdditional: false } as const
/** With more fields than this only the first problem is told: to tell a hundred thousand would stop everyone else. */
const MOST_FIELDS = 64

/**
 * Checks requests by their schemas, and tells all problems at once. Only what arrives as text is turned into numbers: a body has
 * types of its own.
 */
export function validatorOf(): FastifySchemaCompiler<object> {
  const typed = checkers(false)
  const textual = checkers(true)
  return ({ schema, httpPart }) => {
    const { first, all } = httpPart === 'body' ? typed : textual
    const checkFirst = first.compile(schema)
    const checkAll = all.compile(schema)
    return (data: unknown) => {
      if (checkFirst(data)) return true
      const told = isSmall(data) && !checkAll(data) ? checkAll.errors : checkFirst.errors
      return { error: told as never }
    }
  }
}

function checkers(coerceTypes: boolean): { readonly first: Ajv; readonly all: Ajv } {
  return {
    first: new Ajv({ ...OPTIONS, coerceTypes }),
    all: new Ajv({ ...OPTIONS, coerceTypes, allErrors: true }),
  }
}

/** Whether data has few fields, at whatever depth they stand. */
function isSmall(data: unknown): boolean {
  const open = [data]
  let fields = 0
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue
    const inside = Object.values(value)
    fields += inside.length
    if (fields > MOST_FIELDS) return false
    open.push(...inside.filter((one) => one !== undefined))
  }
  return true
}
