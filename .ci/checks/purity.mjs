// Time, chance and timers come in as arguments: core and the client may not reach for them.
import { sourcesUnder, withoutComments } from './sources.mjs'

/** Where the defaults of `clock` and `random` are named, and the one pause. */
const CLIENT = 'packages/client/src/runtime.ts'
const ALLOWED = {
  'Date.now': ['packages/core/src/clock.ts', CLIENT],
  setTimeout: ['packages/core/src/clock.ts', CLIENT],
  'Math.random': ['packages/core/src/clock.ts', 'packages/core/src/scheduler/options.ts', CLIENT],
  // Of an instant that is given.
  'new Date': ['packages/client/src/errors/api-error.ts'],
}

/** What only Node has, and a browser has not. */
const NODE_ONLY = /\b(?:Buffer|__dirname|require|setImmediate)\b/g

const FORBIDDEN =
  /\b(?:Date\.now|new Date|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|process\.\w+)\b/g

export function purityProblems() {
  return [
    ...problemsOf('packages/core/src', FORBIDDEN),
    ...problemsOf('packages/client/src', FORBIDDEN),
    ...problemsOf('packages/client/src', NODE_ONLY),
  ]
}

function problemsOf(folder, forbidden) {
  return sourcesUnder(folder).flatMap(({ path, text }) =>
    [...withoutComments(text).matchAll(forbidden)]
      .filter(([name]) => !(ALLOWED[name] ?? []).includes(path))
      .map((match) => {
        const line = text.slice(0, match.index).split('\n').length
        return `${path}:${line} uses ${match[0]}; take it as an argument`
      }),
  )
}
