/** What a limiter needs of a line of an access log. */
export interface LogLine {
  readonly ip: string
  /** `-` when nobody was logged in. */
  readonly user: string
  /** ms since the epoch. */
  readonly atMs: number
}

// host ident user [time] "request" status bytes ...: what comes after them (referrer, agent) does
// not matter here.
const LINE = /^(\S+) \S+ (.{1,200}?) \[([^\]]{1,40})\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-)(?: |$)/
const TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const MOST_KEY_BYTES = 128

/** Reads a line of a common or combined access log; a string says why it is none. */
export function parseLogLine(line: string): LogLine | string {
  const match = LINE.exec(line)
  if (match === null) return 'is not of the common or combined log format'
  const [, ip, user, time] = match
  for (const key of [ip, user]) {
    if (Buffer.byteLength(key) > MOST_KEY_BYTES) return 'has a client of more than 128 bytes'
  }
  const atMs = parseTime(time)
  return atMs === null ? `has no time such as 17/May/2015:10:05:03 +0000` : { ip, user, atMs }
}

function parseTime(text: string): number | null {
  const match = TIME.exec(text)
  if (match === null) return null
  const [, day, monthName, year, hour, minute, second, sign, zoneHours, zoneMinutes] = match
  const month = MONTHS.indexOf(monthName)
  if (month < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null
  const local = Date.UTC(
    Number(year),
    month,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  )
  if (new Date(Date.UTC(Number(year), month, Number(day))).getUTCDate() !== Number(day)) return null
  const offsetMs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000
  const atMs = sign === '+' ? local - offsetMs : local + offsetMs
  return atMs >= 1 ? atMs : null
}
