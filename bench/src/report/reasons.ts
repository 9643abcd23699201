/**
 * Why a promise is not reached: written by hand, from experiments, by the table and the bound as the page words it.
 * A reason for what is reached, or for a bound that is gone, is not shown.
 */
export const reasons: Readonly<Record<string, string>> = {}

/** The name of a reason: `admit, 1 key / ostler: at most 2 times Map.get and a write`. */
export function reasonOf(table: string, bound: string): string | null {
  return reasons[`${table} / ${bound}`] ?? reasons[table] ?? null
}
