import { OstlerError } from '@ostler/core'

/** What `lua/lib/changes.lua` and `lua/agents.lua` say of an answer, in bits. */
const RESET = 1
const LOST = 2
const MORE = 4

/** Pages of one answer that began anew, because more was forgotten than the pages had told. */
const MOST_RESTARTS = 8

/** The whole of an answer that came in pages. */
export interface Paged<T> {
  readonly version: number
  readonly reset: boolean
  readonly lost: boolean
  /** In the order of the last change; each thing once. */
  readonly told: Map<string, T | null>
}

/**
 * Gathers an answer that may come in pages. Versions only rise, so the next page is what changed
 * since the last version told: what changes in between moves to a later page. `first` is
 * `[version, flags, name, value, ...]`; an empty value is a thing that is gone.
 * @throws OstlerError STORE_UNAVAILABLE where it has to begin anew again and again
 */
export async function gathered<T>(
  since: number,
  first: readonly (number | string)[],
  read: (value: string) => T,
  next: (since: number) => Promise<readonly (number | string)[]>,
): Promise<Paged<T>> {
  const told = new Map<string, T | null>()
  let [reset, lost, restarts] = [false, false, 0]
  for (let page = first; ; page = await next(page[0] as number)) {
    const flags = page[1] as number
    if ((flags & RESET) !== 0) {
      told.clear()
      reset = true
      if (++restarts > MOST_RESTARTS) break
    }
    if ((flags & LOST) !== 0) lost = true
    take(told, page, since === 0 || reset, read)
    if ((flags & MORE) === 0) return { version: page[0] as number, reset, lost, told }
  }
  const message = `Redis forgot changes ${MOST_RESTARTS} times while they were being read`
  throw new OstlerError('STORE_UNAVAILABLE', message)
}

/** A whole answer does not speak of what is gone. */
function take<T>(
  told: Map<string, T | null>,
  page: readonly (number | string)[],
  whole: boolean,
  read: (value: string) => T,
): void {
  for (let i = 2; i < page.length; i += 2) {
    const name = page[i] as string
    const value = page[i + 1] as string
    told.delete(name)
    if (value !== '') told.set(name, read(value))
    else if (!whole) told.set(name, null)
  }
}
