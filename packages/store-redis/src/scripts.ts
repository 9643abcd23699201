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
 * Puts a script together: `lua/lib/time.lua`, the named files of `lua/lib`, `lua/<name>.lua` with
 * its `decide(keys, args)`, and `lua/lib/driver.lua`, which calls it. Reads files: once, when a
 * module is loaded.
 */
export function defineScript(name: string, libs: readonly string[] = []): Script {
  const files = ['lib/time', ...libs.map((lib) => `lib/${lib}`), name, 'lib/driver']
  const text = files.map(read).join('\n')
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}

/** The folder stands beside `src` and `dist` alike. */
function read(file: string): string {
  return readFileSync(new URL(`../lua/${file}.lua`, import.meta.url), 'utf8')
}
