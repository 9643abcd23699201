import { usage } from '../failure.ts'
import { checkEndpoint, parseEndpoint, quoted, Reason, type Endpoint } from './endpoint.ts'
import { draftAt, draftNamed, type Details, type Draft, type Reading } from './entry.ts'

const MOST_COLUMNS = 200

/**
 * Columns by the names that people give them, in lower case without spaces, hyphens and
 * underscores.
 */
const COLUMNS: Readonly<Record<string, string>> = {
  id: 'id',
  url: 'url',
  proxy: 'url',
  host: 'host',
  ip: 'host',
  port: 'port',
  scheme: 'scheme',
  protocol: 'scheme',
  type: 'scheme',
  username: 'username',
  user: 'username',
  password: 'password',
  pass: 'password',
  country: 'country',
  countrycode: 'country',
  region: 'region',
  city: 'city',
  lat: 'lat',
  latitude: 'lat',
  lon: 'lon',
  lng: 'lon',
  longitude: 'lon',
  exitip: 'exitIp',
  asn: 'asn',
  tags: 'tags',
  weight: 'weight',
  maxconcurrency: 'maxConcurrency',
}

const NUMBERS: readonly string[] = ['lat', 'lon', 'asn', 'weight', 'maxConcurrency']

/**
 * A header row, then one agent a line. Columns may come in any order; `url`, or `host` and `port`,
 * or `id` must be there: a row with an id and no endpoint is an agent without url. Separated by
 * comma, semicolon or tab, as the header is; fields may be quoted, a record does not go over the end
 * of its line.
 * @throws CliFailure USAGE when the header is none.
 */
export function readCsv(text: string, scheme: string): Reading {
  const lines = text.split(/\r\n|\n|\r/)
  const first = lines.findIndex((line) => line.trim() !== '')
  const separator = separatorOf(lines[first] ?? '')
  const header = splitRow(lines[first] ?? '', separator)
  if (header instanceof Reason) throw usage(`the header row ${header.text}`)
  const columns = columnsOf(header)
  checkHeader(columns, header)
  const ignored = header.filter((_, i) => columns[i] === undefined)
  const entries = lines.flatMap((line, i) => {
    if (i <= first || line.trim() === '') return []
    return [{ at: `line ${i + 1}`, read: readRow(line, separator, columns, scheme) }]
  })
  const notes = ignored.length === 0 ? [] : [`columns not used: ${ignored.map(quoted).join(', ')}`]
  return { entries, notes }
}

/** Whether a line looks like a header: it names an endpoint, or an id and what else is known. */
export function isHeader(line: string): boolean {
  const header = splitRow(line, separatorOf(line))
  if (header instanceof Reason) return false
  const columns = columnsOf(header)
  const known = columns.filter((name) => name !== undefined)
  return namesEndpoint(columns) || (known.includes('id') && known.length > 1)
}

function columnsOf(header: readonly string[]): (string | undefined)[] {
  return header.map((name) => COLUMNS[name.toLowerCase().replace(/[\s_-]/g, '')])
}

function namesEndpoint(columns: readonly (string | undefined)[]): boolean {
  return columns.includes('url') || (columns.includes('host') && columns.includes('port'))
}

function checkHeader(columns: readonly (string | undefined)[], header: readonly string[]): void {
  if (columns.length > MOST_COLUMNS) {
    throw usage(`the header row must have at most ${MOST_COLUMNS} columns, has ${columns.length}`)
  }
  const twice = columns.find((name, i) => name !== undefined && columns.indexOf(name) < i)
  if (twice !== undefined) throw usage(`the header row has ${twice} twice`)
  if (!namesEndpoint(columns) && !columns.includes('id')) {
    const names = header.slice(0, 10).map(quoted).join(', ')
    throw usage(`the header row must name url, or host and port, or id; it names ${names}`)
  }
}

function readRow(
  line: string,
  separator: string,
  columns: readonly (string | undefined)[],
  scheme: string,
): Draft | Reason {
  const cells = splitRow(line, separator)
  if (cells instanceof Reason) return cells
  if (cells.length !== columns.length) {
    return new Reason(`has ${cells.length} fields, the header has ${columns.length}`)
  }
  const row: Record<string, string> = {}
  columns.forEach((name, i) => {
    if (name !== undefined && cells[i] !== '') row[name] = cells[i]
  })
  const details = detailsOf(row)
  const { id, url, host, port } = row
  if (id !== undefined && url === undefined && host === undefined && port === undefined) {
    return details instanceof Reason ? details : draftNamed({ id, ...details })
  }
  const endpoint = endpointOf(row, scheme)
  if (endpoint instanceof Reason) return endpoint
  return details instanceof Reason ? details : draftAt(endpoint, details, id)
}

function endpointOf(row: Readonly<Record<string, string>>, scheme: string): Endpoint | Reason {
  if (row['url'] !== undefined) return parseEndpoint(row['url'], scheme)
  const { host, port, username, password } = row
  if (host === undefined) return new Reason('has no host')
  if (port === undefined || !/^\d{1,6}$/.test(port)) {
    return new Reason(`port must be from 1 to 65535, got ${quoted(port ?? '')}`)
  }
  return checkEndpoint({
    scheme: row['scheme']?.toLowerCase() ?? scheme,
    host,
    port: Number(port),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  })
}

function detailsOf(row: Readonly<Record<string, string>>): Details | Reason {
  const details: Record<string, unknown> = {}
  for (const name of ['region', 'city', 'exitIp']) {
    if (row[name] !== undefined) details[name] = row[name]
  }
  if (row['country'] !== undefined) details['country'] = row['country'].toUpperCase()
  for (const name of NUMBERS) {
    const text = name === 'asn' ? row[name]?.replace(/^AS/i, '') : row[name]
    if (text === undefined) continue
    if (!/^-?\d+(\.\d+)?$/.test(text)) {
      return new Reason(`${name} must be a number, got ${quoted(text)}`)
    }
    details[name] = Number(text)
  }
  if (row['tags'] !== undefined) {
    details['tags'] = row['tags']
      .split(/[;|]/)
      .map((tag) => tag.trim())
      .filter((tag) => tag !== '')
  }
  return details
}

function separatorOf(header: string): string {
  return [',', ';', '\t'].reduce((best, separator) =>
    header.split(separator).length > header.split(best).length ? separator : best,
  )
}

/**
 * Fields of one line (RFC 4180, except that a quoted field ends on its line); spaces around them do
 * not count.
 */
function splitRow(line: string, separator: string): string[] | Reason {
  const fields: string[] = []
  let i = 0
  for (;;) {
    while (line[i] === ' ') i++
    if (line[i] === '"') {
      let field = ''
      for (i++; ; i++) {
        if (i >= line.length) return new Reason('has a quote that is not closed on its line')
        if (line[i] !== '"') field += line[i]
        else if (line[i + 1] === '"') field += line[i++]
        else break
      }
      for (i++; line[i] === ' '; i++);
      if (i < line.length && line[i] !== separator) {
        return new Reason('has something between a closing quote and the next field')
      }
      fields.push(field)
    } else {
      const end = line.indexOf(separator, i)
      fields.push(line.slice(i, end < 0 ? line.length : end).trim())
      i = end < 0 ? line.length : end
    }
    if (i >= line.length) return fields
    i++
  }
}
