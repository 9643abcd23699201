import { readFileSync } from 'node:fs'

/** What a package says of itself. */
export interface Manifest {
  readonly version: string
  readonly engines?: { readonly node?: string }
}

/** The manifest of a package, by the path or url of its package.json; by default of this one. */
export function manifest(
  path: string | URL = new URL('../package.json', import.meta.url),
): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest
}
