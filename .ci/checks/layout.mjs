// The top of the tree stays small, and no file ties a clone to one package registry.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './sources.mjs'

const FILES = ['package.json', 'pnpm-workspace.yaml', 'tsconfig.json', 'pnpm-lock.yaml']
const FOLDERS = ['packages', 'bench', 'test', 'docs', 'examples', 'node_modules']
const DOCS = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'LICENSE']
const KNOWN = new Set([...FILES, ...FOLDERS, ...DOCS])

/** Whether git passes it over: who has tried the docs' lines has files at the top that are no part of the tree. */
function isIgnored(name) {
  const lines = readFileSync(join(root, '.gitignore'), 'utf8').split('\n')
  return lines.some((line) => {
    const parts = line
      .replace(/^\//, '')
      .split('*')
      .map((part) => part.replaceAll('.', '\\.'))
    return line !== '' && new RegExp(`^${parts.join('.*')}$`).test(name)
  })
}

export function layoutProblems() {
  const present = readdirSync(root).filter((name) => !name.startsWith('.') && !isIgnored(name))
  const unknown = present.filter((name) => !KNOWN.has(name))
  const missing = [...FILES, ...DOCS].filter((name) => !present.includes(name))
  const locks = ['pnpm-lock.yaml', 'bench/peers/pnpm-lock.yaml'].filter((name) =>
    /https?:\/\/|tarball:/.test(readFileSync(join(root, name), 'utf8')),
  )
  return [
    ...unknown.map((name) => `${name}: not one of the things that belong at the top`),
    ...missing.map((name) => `${name}: missing at the top`),
    ...locks.map((name) => `${name} names a registry host`),
  ]
}
