import { AGENT_FIELDS, type Agent } from '@ostler/core'
import { usage } from '../failure.ts'
import { checkEndpoint, quoted, Reason } from './endpoint.ts'
import { draftAt, draftNamed, type Details, type Draft, type Reading } from './entry.ts'

type Fields = Readonly<Record<string, unknown>>

const KNOWN: ReadonlySet<string> = new Set(AGENT_FIELDS)

/**
 * An array (or `{ "agents": [...] }`) of agents as `agents.upsert` takes them, or of entries of a
 * proxy list (`protocol`, `host`, `port`, `exit_ip`, `asn`, `geolocation`); one file may hold both.
 * @throws CliFailure USAGE when it is not JSON, or no array.
 */
export function readJsonAgents(text: string, scheme: string): Reading {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // The parser's own words may quote the file, and with it credentials.
    throw usage(`it is not JSON${placeOf(error)}`)
  }
  const list = isFields(value) ? value['agents'] : value
  if (!Array.isArray(list)) throw usage('the JSON must be an array of agents')
  const unused = new Set<string>()
  const entries = list.map((element: unknown, i) => ({
    at: `element ${i}`,
    read: readElement(element, scheme, unused),
  }))
  const notes = unused.size === 0 ? [] : [`fields not used: ${[...unused].map(quoted).join(', ')}`]
  return { entries, notes }
}

function readElement(element: unknown, scheme: string, unused: Set<string>): Draft | Reason {
  if (!isFields(element)) return new Reason('must be an object')
  if (element['host'] !== undefined) return readListed(element, scheme)
  const { id } = element
  if (typeof id !== 'string') return new Reason('must have an id, or a host and a port')
  const agent: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(element)) {
    if (KNOWN.has(name)) agent[name] = value
    else if (unused.size < 20) unused.add(name)
  }
  return draftNamed(agent as unknown as Agent)
}

/** An entry of a proxy list with geolocation, as the public list of monosans and others have it. */
function readListed(element: Fields, scheme: string): Draft | Reason {
  const { host, port, protocol, username, password } = element
  if (typeof host !== 'string') return new Reason('host must be a string')
  const endpoint = checkEndpoint({
    scheme: typeof protocol === 'string' ? protocol.toLowerCase() : scheme,
    host,
    port: typeof port === 'number' ? port : Number.NaN,
    ...(typeof username === 'string' && username !== '' ? { username } : {}),
    ...(typeof password === 'string' && password !== '' ? { password } : {}),
  })
  if (endpoint instanceof Reason) return endpoint
  const asn = inside(element, 'asn', 'autonomous_system_number')
  const exitIp = element['exit_ip']
  return draftAt(endpoint, {
    ...placeOfListed(element['geolocation']),
    ...(typeof exitIp === 'string' ? { exitIp } : {}),
    ...(typeof asn === 'number' ? { asn } : {}),
  })
}

function placeOfListed(geolocation: unknown): Details {
  const country = inside(geolocation, 'country', 'iso_code')
  const city = inside(geolocation, 'city', 'names', 'en')
  const lat = inside(geolocation, 'location', 'latitude')
  const lon = inside(geolocation, 'location', 'longitude')
  const part = inside(geolocation, 'subdivisions', '0', 'iso_code')
  const isRegion =
    typeof country === 'string' && typeof part === 'string' && /^[A-Z0-9]{1,3}$/.test(part)
  return {
    ...(typeof country === 'string' ? { country } : {}),
    ...(isRegion ? { region: `${country}-${part}` } : {}),
    ...(typeof city === 'string' ? { city } : {}),
    ...(typeof lat === 'number' && typeof lon === 'number' ? { lat, lon } : {}),
  }
}

/** What stands at a path of names; undefined where it breaks off. */
function inside(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = (found as Fields)[name]
  }
  return found
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function placeOf(error: unknown): string {
  const position = /position (\d+)/.exec(String(error))
  return position === null ? '' : ` (it breaks off at character ${position[1]})`
}
