/** A target's body as JSON can hold it. */
export interface HeldBody {
  readonly body: string
  readonly encoding: 'text' | 'base64'
}

const TEXT =
  /^\s*(?:text\/|application\/(?:[\w.+-]*\+)?(?:json|xml)|application\/(?:javascript|x-www-form-urlencoded|graphql))/i
const CHARSET = /;\s*charset\s*=\s*"?([\w:.-]{1,40})/i

/** The body as text where its type says that it is some, and it is; else in base64. No byte is ever lost. */
export function heldBody(bytes: Uint8Array, contentType: string | undefined): HeldBody {
  if (bytes.length === 0) return { body: '', encoding: 'text' }
  if (contentType !== undefined && TEXT.test(contentType)) {
    const text = decoded(bytes, CHARSET.exec(contentType)?.[1] ?? 'utf-8')
    if (text !== null) return { body: text, encoding: 'text' }
  }
  const { buffer, byteOffset, byteLength } = bytes
  return {
    body: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    encoding: 'base64',
  }
}

function decoded(bytes: Uint8Array, charset: string): string | null {
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // An unknown charset, or bytes that are none of it.
    return null
  }
}
