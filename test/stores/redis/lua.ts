import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

const FOLDER = new URL('../../../packages/store-redis/lua/', import.meta.url)

/** Runs a piece of Lua after the store's own files, as its scripts stand after them. */
export async function runLua(
  client: Redis,
  libs: readonly string[],
  body: string,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const files = ['time', 'digits', ...libs].map((lib) =>
    readFileSync(new URL(`lib/${lib}.lua`, FOLDER), 'utf8'),
  )
  return client.eval([...files, body].join('\n'), keys.length, ...keys, ...args)
}
