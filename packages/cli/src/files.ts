import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { fileTrouble, usage } from './failure.ts'
import type { Io } from './io.ts'

const MOST_BYTES = 512 * 1024 * 1024

/** The whole of a file (`-`: standard input) as text, at most 512 MiB. */
export async function readText(io: Io, path: string): Promise<string> {
  if (path !== '-') {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw fileTrouble('read', path, error)
    }
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of io.stdin) {
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk)
    bytes += buffer.length
    if (bytes > MOST_BYTES) throw usage(`standard input must have at most ${MOST_BYTES} bytes`)
    chunks.push(buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Reads a file (`-`: standard input) that is one JSON value. */
export async function readJson(io: Io, path: string): Promise<unknown> {
  const text = await readText(io, path)
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw usage(`${nameOf(path)} is not JSON: ${(error as Error).message}`, error)
  }
}

/** Writes a file; `secret` ones are for their owner's eyes alone. */
export function writeText(path: string, text: string, secret = false): void {
  try {
    writeFileSync(path, text, secret ? { mode: 0o600 } : {})
  } catch (error) {
    throw fileTrouble('write', path, error)
  }
}

/** A file's bytes as they come (`-`: standard input). */
export async function* readChunks(io: Io, path: string): AsyncGenerator<Uint8Array | string> {
  if (path === '-') {
    yield* io.stdin
    return
  }
  try {
    yield* createReadStream(path) as AsyncIterable<Uint8Array>
  } catch (error) {
    throw fileTrouble('read', path, error)
  }
}

/** Standard input can be read once. @throws CliFailure USAGE when two files are `-`. */
export function refuseTwoStdins(...paths: readonly (string | undefined)[]): void {
  if (paths.filter((path) => path === '-').length < 2) return
  throw usage('only one file can be standard input, got - for two')
}

/** How messages call a file. */
export function nameOf(path: string): string {
  return path === '-' ? 'standard input' : path
}
