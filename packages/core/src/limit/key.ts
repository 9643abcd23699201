import { OstlerError, shown } from '../errors.ts'

/** The longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 128

/** @throws OstlerError INVALID_KEY: see {@link keyProblem}. */
export function checkKey(key: unknown): void {
  const problem = keyProblem(key)
  if (problem !== null) throw new OstlerError('INVALID_KEY', `key ${problem}`)
}

/**
 * Says what is wrong with a key, or null: a string of 1 to 128 bytes of well-formed UTF-8 without
 * control characters (U+0000 to U+001F, U+007F to U+009F). Keys are compared as they are: no case
 * folding, no normalisation. Called for each new key, so printable ASCII is one loop. O(length).
 */
export function keyProblem(key: unknown): string | null {
  if (typeof key !== 'string') return `must be a string, got ${shown(key)}`
  const length = key.length
  if (length === 0) return `must be 1 to ${MAX_KEY_BYTES} bytes of UTF-8, got ""`
  if (length > MAX_KEY_BYTES) return tooLong(key)
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i)
    if (unit < 0x20 || unit > 0x7e) return rareProblem(key)
  }
  return null
}

/** The same of a key that holds more than printable ASCII. */
function rareProblem(key: string): string | null {
  let bytes = 0
  for (let i = 0; i < key.length; i++) {
    const point = key.codePointAt(i) as number
    if (point < 0x20 || (point >= 0x7f && point <= 0x9f)) {
      return `must have no control characters, got ${codePoint(point)} at index ${i}`
    }
    if (point >= 0xd800 && point <= 0xdfff) {
      return `must be well-formed Unicode, got a lone surrogate ${codePoint(point)} at index ${i}`
    }
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
    if (point > 0xffff) i++
  }
  return bytes > MAX_KEY_BYTES ? tooLong(key) : null
}

function tooLong(key: string): string {
  return `must be 1 to ${MAX_KEY_BYTES} bytes of UTF-8, got a longer one: ${shown(key)}`
}

function codePoint(point: number): string {
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')}`
}
