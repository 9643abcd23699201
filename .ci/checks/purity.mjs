// Time, chance and timers come in as arguments: core may not reach for them.
import { sourcesUnder, withoutComments } from './sources.mjs'

/** Where the defaults of `clock` and `random` are named, and the one pause. */
const ALLOWED = {
  'Date.now': ['packages/core/src/clock.ts'],
  setTimeout: ['packages/core/src/clock.ts'],
  'Math.random': ['packages/core/src/clock.ts', 'packages/core/src/scheduler/options.ts'],
}

const FORBIDDEN =
  /\b(?:Date\.now|new Date|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|process\.\w+)\b/g

export function purityProblems() {
  return sourcesUnder('packages/core/src').flatMap(({ path, text }) =>
    [...withoutComments(text).matchAll(FORBIDDEN)]
      .filter(([name]) => !(ALLOWED[name] ?? []).includes(path))
      .map((match) => {
        const line = text.slice(0, match.index).split('\n').length
        return `${path}:${line} uses ${match[0]}; take it as an argument`
      }),
  )
}
