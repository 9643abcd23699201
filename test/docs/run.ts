import { join } from 'node:path'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { vi } from 'vitest'
import { root, type Snippet } from './snippets.ts'

/** Written below the ignored dist/, where `@ostler/...` resolves as it does for the tests. */
export function folderOf(name: string): string {
  return join(root, 'test/dist', name)
}

export function fileOf(folder: string, at: string): string {
  return join(folder, `${at.replaceAll(/[^\w-]+/g, '-')}.ts`)
}

/** Writes snippets into a folder, of which nothing else stays. */
export function write(folder: string, snippets: readonly Pick<Snippet, 'at' | 'code'>[]): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { at, code } of snippets) writeFileSync(fileOf(folder, at), code)
}

/** Runs a file, and gives the lines that it prints. */
export async function printed(file: string): Promise<readonly string[]> {
  const lines: string[] = []
  const keep = (...words: unknown[]): void => void lines.push(words.map(String).join(' '))
  const spies = [
    vi.spyOn(console, 'log').mockImplementation(keep),
    vi.spyOn(console, 'error').mockImplementation(keep),
  ]
  try {
    await import(file)
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return lines
}
