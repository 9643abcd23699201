// Copies the working tree to a scratch folder: tracked and new files, and links to what is installed.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Returns `{ dir, remove }`. */
export function copyTree() {
  const dir = mkdtempSync(join(tmpdir(), 'ostler-mutant-'))
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  })
  const files = new Set(listed.split('\0').filter((file) => existsSync(join(root, file))))
  files.delete('')
  for (const file of files) {
    mkdirSync(dirname(join(dir, file)), { recursive: true })
    cpSync(join(root, file), join(dir, file))
  }
  linkInstalled(dir, files)
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/**
 * The root's node_modules is one link. A package's own holds relative links only, into the root's
 * and to its siblings: copied as they are, they lead to the copies.
 */
function linkInstalled(dir, files) {
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  const folders = [...files].filter((file) => /^[^/]+(\/[^/]+)?\/package\.json$/.test(file))
  for (const folder of folders.map((file) => dirname(file))) {
    const installed = join(root, folder, 'node_modules')
    if (!existsSync(installed)) continue
    const verbatim = { recursive: true, verbatimSymlinks: true }
    cpSync(installed, join(dir, folder, 'node_modules'), verbatim)
  }
}
