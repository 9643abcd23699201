import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { Bytes } from './bytes.ts'
import { TargetFailure } from './failure.ts'

/** A body, and whether there was more of it than is kept. */
export interface Body {
  readonly bytes: Uint8Array
  readonly truncated: boolean
}

type MakeDecoder = (body: Uint8Array, truncated: boolean) => Transform

/** Encodings one upon the other; more than this nobody sends in good faith. */
const MOST_ENCODINGS = 3

/** Newer than the oldest Node that this runs on. */
const { createZstdDecompress } = zlib as {
  readonly createZstdDecompress?: (options: { readonly finishFlush?: number }) => Transform
}
const ZSTD_FLUSH = 1

/** A body that was cut short is decoded as far as it goes. */
const DECODERS: ReadonlyMap<string, MakeDecoder> = new Map<string, MakeDecoder>([
  ['gzip', (_, truncated) => zlib.createGunzip(zlibOptions(truncated))],
  ['x-gzip', (_, truncated) => zlib.createGunzip(zlibOptions(truncated))],
  ['deflate', createDeflateDecoder],
  ['br', (_, truncated) => zlib.createBrotliDecompress(brotliOptions(truncated))],
  ...(createZstdDecompress === undefined
    ? []
    : [
        [
          'zstd',
          (_: Uint8Array, truncated: boolean) =>
            createZstdDecompress(truncated ? { finishFlush: ZSTD_FLUSH } : {}),
        ] as const,
      ]),
])

/** What targets may be told is understood. */
export const ACCEPT_ENCODING: string = [...DECODERS.keys()]
  .filter((name) => name !== 'x-gzip')
  .join(', ')

/**
 * Undoes the encodings that `content-encoding` lists, giving at most `maxBytes` of each; null where
 * one of them is not known, or there are more than three. Memory is bounded by `maxBytes`.
 * @throws TargetFailure encoding
 */
export async function decode(
  body: Body,
  encodings: string,
  maxBytes: number,
): Promise<Body | null> {
  const names = encodings
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity')
  if (names.length > MOST_ENCODINGS || !names.every((name) => DECODERS.has(name))) return null
  let decoded = body
  for (const name of names.reverse()) {
    if (decoded.bytes.length > 0) decoded = await undo(name, decoded, maxBytes)
  }
  return decoded
}

async function undo(name: string, body: Body, maxBytes: number): Promise<Body> {
  const decoder = (DECODERS.get(name) as MakeDecoder)(body.bytes, body.truncated)
  const bytes = new Bytes(maxBytes)
  decoder.end(body.bytes)
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      bytes.add(chunk)
      // Leaving the loop destroys the decoder.
      if (bytes.truncated) break
    }
  } catch (cause) {
    throw new TargetFailure('encoding', `the target's body is no good ${name}`, cause)
  }
  return { bytes: bytes.take(), truncated: body.truncated || bytes.truncated }
}

/** By the RFC in zlib's format; many servers send it bare. The first byte tells: RFC 1950, section 2.2. */
function createDeflateDecoder(body: Uint8Array, truncated: boolean): Transform {
  const options = zlibOptions(truncated)
  return (body[0] & 0x0f) === 8 ? zlib.createInflate(options) : zlib.createInflateRaw(options)
}

function zlibOptions(truncated: boolean): zlib.ZlibOptions {
  return truncated ? { finishFlush: zlib.constants.Z_SYNC_FLUSH } : {}
}

function brotliOptions(truncated: boolean): zlib.BrotliOptions {
  return truncated ? { finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH } : {}
}
