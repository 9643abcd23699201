import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The package that names the peers. It is installed by `npm run bench:peers` alone, so no types of theirs are to be had here. */
const folder = join(import.meta.dirname, '../../peers')
const require = createRequire(join(folder, 'package.json'))

/** Loads a peer, as the few of its parts that a case uses. */
export async function loadPeer<Parts>(name: string): Promise<Parts> {
  const url = pathToFileURL(require.resolve(name)).href
  const loaded = (await import(url)) as Parts & { default?: Parts }
  // A CommonJS peer's parts are found on its default only where they cannot be told from its text.
  return { ...loaded.default, ...loaded }
}

export function arePeersInstalled(): boolean {
  return existsSync(join(folder, 'node_modules'))
}

/** Their versions, as they are installed. */
export function peerVersions(): Record<string, string> {
  if (!arePeersInstalled()) return {}
  const { devDependencies } = require('./package.json') as {
    devDependencies: Record<string, string>
  }
  return devDependencies
}
