// hot path: every response's body goes through here once. Marks are found in one pass, without
// regular expressions, so that no body, however hostile, costs more than its length.

/** Finds which of many marks a text holds. */
export interface Scanner {
  readonly marks: readonly string[]
  /** `found[i]` is 1 where `text` holds `marks[i]`, whatever the case of letters. */
  scan(text: string): Uint8Array
}

const MOST_WINDOW = 32
const TABLE = 16_384

/** Of three characters in a row. */
function slotOf(first: number, second: number, third: number): number {
  return ((first << 7) ^ (second << 4) ^ third) & (TABLE - 1)
}

/**
 * A scanner for marks of at least 4 characters, faster where all are longer. Looks at three
 * characters at the window's end and skips as far as no mark can begin (S. Wu and U. Manber, "A
 * fast algorithm for multi-pattern searching", 1994).
 */
export function scanner(marks: readonly string[]): Scanner {
  const folded = marks.map((mark) => mark.toLowerCase())
  const size = folded.reduce((least, mark) => Math.min(least, mark.length), MOST_WINDOW)
  const skips = new Uint8Array(TABLE).fill(size - 2)
  const candidates = new Map<number, number[]>()
  folded.forEach((mark, index) => {
    for (let i = 2; i < size; i++) {
      const slot = slotOf(mark.charCodeAt(i - 2), mark.charCodeAt(i - 1), mark.charCodeAt(i))
      skips[slot] = Math.min(skips[slot], size - 1 - i)
      if (i < size - 1) continue
      if (!candidates.has(slot)) candidates.set(slot, [])
      candidates.get(slot)!.push(index)
    }
  })

  return {
    marks: folded,
    scan(mixed) {
      // Lower case is made in one go, and lies flat in memory, where a slice would not.
      const text = mixed.toLowerCase()
      const found = new Uint8Array(folded.length)
      const length = text.length
      let end = size - 1
      while (end < length) {
        const slot = slotOf(
          text.charCodeAt(end - 2),
          text.charCodeAt(end - 1),
          text.charCodeAt(end),
        )
        const skip = skips[slot]
        end += skip === 0 ? 1 : skip
        if (skip > 0) continue
        const start = end - size
        for (const index of candidates.get(slot)!) {
          if (found[index] === 0 && text.startsWith(folded[index], start)) found[index] = 1
        }
      }
      return found
    },
  }
}

const MOST_TITLE = 200

/**
 * The text of the first `<title>`, lower case, spaces collapsed, apostrophes plain; empty without
 * one.
 */
export function titleOf(html: string): string {
  let start = html.indexOf('<title')
  if (start < 0) start = html.indexOf('<TITLE')
  const open = start < 0 ? -1 : html.indexOf('>', start)
  if (open < 0) return ''
  const close = html.indexOf('<', open)
  const end = Math.min(close < 0 ? html.length : close, open + 1 + MOST_TITLE)
  return html
    .slice(open + 1, end)
    .replace(/&#0?39;|&#x27;|&apos;|&rsquo;|’/gi, "'")
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()
}

// Elements whose text nobody reads. `noscript` is what a browser with scripts leaves out.
const UNREAD: readonly string[] = ['script', 'style', 'title', 'noscript', 'template']

/**
 * Whether a page has nothing to read, and loads no script but those with one of `marks` in their
 * tag: an interstitial. A page that is cut off is not one, as its text may come later. One pass.
 */
export function isEmptyPage(html: string, marks: readonly string[]): boolean {
  const page = html.toLowerCase()
  let at = 0
  for (;;) {
    const open = page.indexOf('<', at)
    if (/\S/.test(page.slice(at, open < 0 ? undefined : open))) return false
    if (open < 0) return true
    // A comment ends at its first `>`, too: what follows looks like text, and the page like a read
    // one.
    const close = page.indexOf('>', open)
    if (close < 0) return false
    at = close + 1
    const tag = page.slice(open + 1, close)
    if (/^script\b.*\bsrc\s*=/s.test(tag) && !marks.some((mark) => tag.includes(mark))) return false
    const name = UNREAD.find((unread) => tag.startsWith(unread))
    if (name === undefined) continue
    const end = page.indexOf(`</${name}`, at)
    if (end < 0) return false
    at = end
  }
}
