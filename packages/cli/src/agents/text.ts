import { draftAt, type Draft, type Reading } from './entry.ts'
import { hasControl, parseEndpoint, Reason } from './endpoint.ts'

const MOST_LINE = 4_096

/**
 * One agent a line: `host:port`, `host:port:user:pass`, or a URL. Blank lines and those that begin
 * with # do not count.
 */
export function readLines(text: string, scheme: string): Reading {
  const entries = text.split(/\r\n|\n|\r/).flatMap((raw, i) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) return []
    return [{ at: `line ${i + 1}`, read: readLine(line, scheme) }]
  })
  return { entries, notes: [] }
}

function readLine(line: string, scheme: string): Draft | Reason {
  if (line.length > MOST_LINE) return new Reason(`has more than ${MOST_LINE} characters`)
  if (hasControl(line)) return new Reason('has a control character')
  if (/\s/.test(line)) return new Reason('has a space within: one agent a line')
  const endpoint = parseEndpoint(line, scheme)
  return endpoint instanceof Reason ? endpoint : draftAt(endpoint)
}
