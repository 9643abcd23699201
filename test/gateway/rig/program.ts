import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { closing } from './closing.ts'

export const root: string = join(import.meta.dirname, '../../..')
const main = join(root, 'packages/cli/dist/main.js')

/** Builds the command line: programs run what is built, as users do. For `beforeAll`. */
export function buildProgram(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const args = [tsc, '-b', 'packages/cli']
  const built = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(built.stdout)
}

export interface Serving {
  readonly url: string
  /** Resolves with what it has printed, as soon as that holds a text. */
  printed(text: string): Promise<string>
}

/** `ostler serve`, as a program of its own on a free port; asked to end after the test. */
export async function serveProgram(...args: readonly string[]): Promise<Serving> {
  const child = spawn(process.execPath, [main, 'serve', '--port', '0', ...args])
  closing(async () => {
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    await ended
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  return {
    url: await listening(child.stderr.setEncoding('utf8')),
    async printed(text) {
      while (!out.includes(text)) await once(child.stdout, 'data')
      return out
    },
  }
}

async function listening(stderr: NodeJS.ReadableStream): Promise<string> {
  let err = ''
  for await (const text of stderr as AsyncIterable<string>) {
    err += text
    const [, url] = /listening on (http:\S+)/.exec(err) ?? []
    if (url !== undefined) {
      // What it says from now on is nobody's concern, but has to be read.
      stderr.resume()
      return url
    }
  }
  throw new Error(`the gateway ended at its start:\n${err}`)
}
