import { OstlerError, type Problem } from '@ostler/core'

/** Adds to `problems` all that is wrong with a value that stands at `path`. */
export type Check = (problems: Problem[], path: string, value: unknown) => void

/** Shows an offending value on one line, cut short. */
function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function refuse(problems: Problem[], path: string, expected: string, value: unknown): void {
  problems.push({ path, message: `must be ${expected}, got ${show(value)}` })
}

function within(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most
}

/** An integer from `least` to `most`, both included. */
export function integer(least: number, most: number): Check {
  return (problems, path, value) => {
    if (Number.isSafeInteger(value) && within(value, least, most)) return
    refuse(problems, path, `an integer from ${least} to ${most}`, value)
  }
}

/** A number from `least` to `most`, both included. */
export function number(least: number, most: number): Check {
  return (problems, path, value) => {
    if (within(value, least, most)) return
    refuse(problems, path, `a number from ${least} to ${most}`, value)
  }
}

/** A string that the pattern matches, described as `expected`. */
export function text(pattern: RegExp, expected: string): Check {
  return (problems, path, value) => {
    if (typeof value === 'string' && pattern.test(value)) return
    refuse(problems, path, expected, value)
  }
}

/** One of some strings. */
export function oneOf(...choices: readonly string[]): Check {
  return (problems, path, value) => {
    if (choices.includes(value as string)) return
    refuse(problems, path, `one of ${choices.join(', ')}`, value)
  }
}

/** An array of `least` to `most` elements. */
export function list(check: Check, least: number, most: number): Check {
  return (problems, path, value) => {
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      const got = Array.isArray(value) ? `${value.length} elements` : value
      refuse(problems, path, `an array of ${least} to ${most} elements`, got)
      return
    }
    value.forEach((element, i) => check(problems, `${path}[${i}]`, element))
  }
}

/** An object with these fields and no others; those named in `optional` may be missing. */
export function object(
  fields: Readonly<Record<string, Check>>,
  optional: readonly string[] = [],
): Check {
  return (problems, path, value) => {
    if (!isObject(value)) {
      refuse(problems, path, 'an object', value)
      return
    }
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(fields, name)) continue
      const known = Object.keys(fields).join(', ')
      problems.push({ path: join(path, name), message: `is unknown; known are ${known}` })
    }
    for (const [name, check] of Object.entries(fields)) {
      if (value[name] === undefined && optional.includes(name)) continue
      check(problems, join(path, name), value[name])
    }
  }
}

/** An object whose names match a pattern: 1 to `most` of them. */
export function record(pattern: RegExp, expected: string, check: Check, most: number): Check {
  return (problems, path, value) => {
    if (!isObject(value)) {
      refuse(problems, path, 'an object', value)
      return
    }
    const names = Object.keys(value)
    if (names.length === 0 || names.length > most) {
      refuse(problems, path, `an object of 1 to ${most} entries`, `${names.length} entries`)
      return
    }
    for (const name of names) {
      if (pattern.test(name)) check(problems, join(path, name), value[name])
      else problems.push({ path: join(path, name), message: `must be named ${expected}` })
    }
  }
}

/** Throws one error that lists every problem, by path, or returns when there is none. */
export function throwProblems(what: string, problems: readonly Problem[]): void {
  if (problems.length === 0) return
  const lines = problems.map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
  throw new OstlerError('INVALID_OPTIONS', `${what}: ${lines.join('; ')}`, { problems })
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
