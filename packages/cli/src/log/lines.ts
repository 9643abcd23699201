/** A line without its end; null where it was longer than the limit, and was passed over. */
export type Line = string | null

/**
 * Splits a stream into lines, each of at most `most` characters, holding no more than one at a
 * time.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array | string>,
  most: number,
): AsyncGenerator<Line> {
  const decoder = new TextDecoder()
  let rest = ''
  let tooLong = false
  const take = (part: string): Line => {
    const line = rest + part
    const whole = tooLong || line.length > most ? null : line.replace(/\r$/, '')
    rest = ''
    tooLong = false
    return whole
  }
  for await (const chunk of chunks) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    let start = 0
    for (;;) {
      const end = text.indexOf('\n', start)
      if (end < 0) break
      yield take(text.slice(start, end))
      start = end + 1
    }
    rest += text.slice(start)
    if (rest.length > most) {
      tooLong = true
      rest = ''
    }
  }
  if (rest !== '' || tooLong) yield take('')
}
