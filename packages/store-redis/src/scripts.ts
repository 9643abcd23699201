import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A Lua script that decides: its text, and the name that Redis keeps it under. */
export interface Script {
  readonly name: string
  readonly text: string
  /** SHA-1 of the text, in hexadecimal. */
  readonly sha: string
}

/**
 * Puts a script together: `lua/lib/time.lua`, the named files of `lua/lib` and `lua/<name>.lua`,
 * which reads its calls itself. Reads files: once, when a module is loaded.
 */
export function defineScript(name: string, libs: readonly string[] = []): Script {
  return scriptOf(name, ['lib/time', ...libs.map((lib) => `lib/${lib}`), name])
}

/** The same where `lua/<name>.lua` has a `decide(keys, args)`, which `lua/lib/driver.lua` calls. */
export function defineDriven(name: string, libs: readonly string[] = []): Script {
  const files = ['lib/time', 'lib/digits', ...libs.map((lib) => `lib/${lib}`), name, 'lib/driver']
  return scriptOf(name, files)
}

function scriptOf(name: string, files: readonly string[]): Script {
  const text = withConstants(files.map(read).join('\n'))
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}

/** `local NAME = literal`, at the left margin. */
const CONSTANT = /^local ([A-Z][A-Z0-9_]*) = (-?[0-9.]+|'[^'\n]*')$/gm

/**
 * A text in which constants stand where they are used. To Lua 5.1 they are variables, which every
 * EVALSHA makes anew for all functions that use them, whether these run or not.
 */
function withConstants(text: string): string {
  const values = new Map<string, string>()
  const rest = text.replaceAll(CONSTANT, (_all, name: string, value: string) => {
    values.set(name, value)
    return ''
  })
  const code = rest.replaceAll(/^ *--.*\n/gm, '')
  return code.replaceAll(/\b[A-Z][A-Z0-9_]*\b/g, (name) => values.get(name) ?? name)
}

/** The folder stands beside `src` and `dist` alike. */
function read(file: string): string {
  return readFileSync(new URL(`../lua/${file}.lua`, import.meta.url), 'utf8')
}
