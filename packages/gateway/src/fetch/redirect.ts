import type { DispatchAnswer } from '../agents/dispatch.ts'
import type { TargetUrl } from '../target/url.ts'

/** One request of a chain of redirects. */
export interface Hop<Target = TargetUrl> {
  readonly target: Target
  readonly method: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Uint8Array | null
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]
/** Headers that are of the body alone. */
const OF_BODY = /^content-/i
/** Headers that one origin must not pass on to another. */
const OF_ORIGIN = /^(?:authorization|cookie|proxy-authorization)$/i

/**
 * What an answer asks to be fetched next, as fetch does it (WHATWG Fetch, HTTP-redirect fetch): 303, and 301 or 302 to a POST, become
 * a GET without a body. Null where it is no redirect. The URL is not checked here.
 */
export function nextHop(hop: Hop, answer: DispatchAnswer): Hop<string> | null {
  const from = new URL(hop.target.url)
  const location = answer.headers['location']
  const to = Array.isArray(location) ? location[0] : location
  if (!REDIRECTS.includes(answer.status) || typeof to !== 'string') return null
  if (!URL.canParse(to, from.href)) return null
  const url = new URL(to, from)
  const becomesGet =
    (answer.status === 303 && hop.method !== 'HEAD') ||
    (answer.status < 303 && hop.method === 'POST')
  const isElsewhere = url.origin !== from.origin
  const headers = Object.entries(hop.headers).filter(
    ([name]) => !(becomesGet && OF_BODY.test(name)) && !(isElsewhere && OF_ORIGIN.test(name)),
  )
  return {
    target: url.href,
    method: becomesGet ? 'GET' : hop.method,
    headers: Object.fromEntries(headers),
    body: becomesGet ? null : hop.body,
  }
}
