/** As much of a body as was wanted. */
export interface ReadBody {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Whether there was more: the rest was not taken. */
  readonly isCut: boolean
}

/**
 * Reads a body up to a size, and lets go of the connection where there is more. Ends with the signal, also where the body came from
 * a `fetch` that does not.
 */
export async function readBody(
  response: Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<ReadBody> {
  if (response.body === null) return { bytes: new Uint8Array(), isCut: false }
  const reader = response.body.getReader()
  const letGo = (): void => void reader.cancel().catch(() => undefined)
  signal.addEventListener('abort', letGo, { once: true })
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    while (size <= maxBytes) {
      const { done, value } = await reader.read()
      if (done) return { bytes: joined(chunks, size), isCut: false }
      chunks.push(value)
      size += value.length
    }
  } finally {
    signal.removeEventListener('abort', letGo)
  }
  letGo()
  return { bytes: joined(chunks, size).slice(0, maxBytes), isCut: true }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
