/** An event of a stream, its data read as JSON. */
export interface ServerEvent {
  readonly event: string
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any
}

const WITHIN_MS = 15_000

/** A reader of server-sent events that takes them one at a time, and nothing while it is not asked. */
export class EventReader {
  readonly response: Response
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ''
  comments = 0

  constructor(response: Response) {
    this.response = response
    if (response.body === null) throw new Error('the answer has no body')
    this.#reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
  }

  /** The next event; null at the end of the stream. */
  async next(): Promise<ServerEvent | null> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end >= 0) {
        const block = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        const event = eventOf(block)
        if (event !== null) return event
        this.comments++
        continue
      }
      const { value, done } = await within(this.#reader.read())
      if (done) return null
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }

  /** The next event, whose name is known. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async expect(name: string): Promise<any> {
    const event = await this.next()
    if (event?.event === name) return event.data
    throw new Error(`a ${name} event was expected, not ${JSON.stringify(event)}`)
  }

  /** All that is left. */
  async rest(): Promise<readonly ServerEvent[]> {
    const events: ServerEvent[] = []
    for (;;) {
      const event = await this.next()
      if (event === null) return events
      events.push(event)
    }
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel()
  }
}

function eventOf(block: string): ServerEvent | null {
  const lines = block.split('\n').filter((line) => !line.startsWith(':'))
  if (lines.length === 0) return null
  const field = (name: string): string =>
    lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ''
  return { event: field('event'), data: JSON.parse(field('data')) as unknown }
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${WITHIN_MS} ms`)), WITHIN_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
