import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, type Io } from '@ostler/cli'
import { afterAll } from 'vitest'

/** What one command line came to. */
export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Given {
  readonly stdin?: string
  readonly isTerminal?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** When the process is asked to end. Default: at once. */
  readonly ended?: Promise<void>
}

/** Any instant will do: 2026-01-05T09:00:00Z. */
export const NOW_MS: number = Date.UTC(2026, 0, 5, 9)

/** Runs a command line in this process, at a fixed instant. */
export async function ostler(argv: readonly string[], given: Given = {}): Promise<Ran> {
  const out: string[] = []
  const err: string[] = []
  const io: Io = {
    stdin: chunks(given.stdin ?? ''),
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    isTerminal: given.isTerminal ?? false,
    env: given.env ?? {},
    nowMs: () => NOW_MS,
    ended: () => given.ended ?? Promise.resolve(),
  }
  const code = await run(argv, io)
  return { code, out: out.join(''), err: err.join('') }
}

/** In small pieces, so that nothing depends on where they end. */
async function* chunks(text: string): AsyncGenerator<string> {
  for (let i = 0; i < text.length; i += 7) yield text.slice(i, i + 7)
}

const folder = mkdtempSync(join(tmpdir(), 'ostler-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

/** A file of this content, gone after the tests. */
export function file(content: unknown, name = `file-${++files}`): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** A path in the same folder, where there is no file yet. */
export function freshPath(name = `fresh-${++files}`): string {
  return join(folder, name)
}
