import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

export const root: string = join(import.meta.dirname, '../..')

/** A fenced block of a page. */
export interface Snippet {
  /** `docs/semantics.md:12`, the line of the opening fence. */
  readonly at: string
  readonly language: string
  /** Why it does not run, from a fence such as `ts no-run: a part of the contract`. */
  readonly excuse: string | null
  readonly code: string
}

/** Every page that a reader may copy from. */
export function pages(): string[] {
  const top = readdirSync(root).filter((name) => name.endsWith('.md'))
  const below = ['docs', 'packages', 'examples'].flatMap((folder) => markdownUnder(folder))
  return [...top, ...below].sort()
}

export function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8')
  const fence = /^```(\w+)(?: +no-run: *([^\n]+))?\n([\s\S]*?)^```$/gm
  return [...text.matchAll(fence)].map((match) => ({
    at: `${page}:${text.slice(0, match.index).split('\n').length}`,
    language: match[1],
    excuse: match[2] ?? null,
    code: match[3],
  }))
}

/** Whether a snippet asks a gateway, and perhaps a broker through it. */
export function needsWorld({ code }: Snippet): boolean {
  return code.includes("from '@ostler/client'")
}

/** What a snippet says that it prints: its comments `// prints: ...`, in order. */
export function promised(code: string): string[] {
  return [...code.matchAll(/\/\/ prints: (.*)$/gm)].map((match) => match[1])
}

function markdownUnder(folder: string): string[] {
  let entries
  try {
    entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
  } catch {
    return []
  }
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules'))
}
