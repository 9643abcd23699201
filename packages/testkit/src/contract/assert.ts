import { OstlerError, type ErrorCode } from '@ostler/core'

/** Throws unless the two are deeply equal; fields that are undefined count as absent. */
export function same(actual: unknown, expected: unknown, what: string): void {
  // Mostly the two are written alike: the order of fields need not be looked at.
  if (JSON.stringify(actual) === JSON.stringify(expected)) return
  const got = canonical(actual)
  const wanted = canonical(expected)
  if (got !== wanted) throw new Error(`${what}: expected ${wanted}, got ${got}`)
}

export function holds(fact: boolean, what: string): asserts fact {
  if (!fact) throw new Error(`expected ${what}`)
}

/** Throws unless the call throws, or rejects with, an OstlerError of that code. */
export async function throwsCode(call: () => unknown, code: ErrorCode): Promise<void> {
  try {
    await call()
  } catch (error) {
    holds(error instanceof OstlerError, `an OstlerError ${code}, got ${String(error)}`)
    same(error.code, code, 'code of the error')
    return
  }
  throw new Error(`expected an OstlerError ${code}, and nothing was thrown`)
}

/** Narrows a tagged union to the kind that the case expects. */
export function expectKind<T extends { readonly kind: string }, K extends T['kind']>(
  value: T,
  kind: K,
): Extract<T, { readonly kind: K }> {
  if (value.kind !== kind) throw new Error(`expected ${kind}, got ${canonical(value)}`)
  return value as Extract<T, { readonly kind: K }>
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    const entries = Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(entries)
  })
}
