import { countryCodes, countryIndex, NO_COUNTRY } from '../geo/places.ts'
import { LongList } from '../list.ts'
import { roomFor } from '../room.ts'
import { keepShape, Placed, type StoredAgent } from './agent.ts'

const CHUNK_BITS = 10
const CHUNK = 1 << CHUNK_BITS
const IN_CHUNK = CHUNK - 1

const LAT = 0
const LON = 1
const MARK = 2
const WIDTH = 3

/** In a mark: somebody is described here. The eight bits below it are the country's index. */
const LIVE = 256
const COUNTRY = 255

/** What an agent says beside its id, its country and its coordinates. */
type Rest = { -readonly [Field in keyof StoredAgent]?: StoredAgent[Field] }

/** What chunks read as in which nobody says more: never written. */
const NOTHING: readonly (Rest | null)[] = new Array<Rest | null>(CHUNK).fill(null)

/**
 * What agents say of themselves, by small integers. An object for each of a million is four million things for the garbage collector to
 * copy and to mark, and each of them a miss to read; so ids, countries and coordinates stand in columns, 33 bytes an agent beside its id,
 * and an object is made when it is asked for. Only who says more keeps one, of the rest. Grows a chunk at a time.
 */
export class Descriptions {
  readonly #ids: LongList<string> = new LongList()
  /** Latitude and longitude, NaN where an agent does not say, and a mark: a row, for what is read together should be one line of the caches. */
  readonly #rows: Float64Array[] = []
  readonly #rest: (readonly (Rest | null)[])[] = []

  constructor() {
    keepShape()
  }

  /** Places that there are: those that nobody has among them. */
  get length(): number {
    return this.#ids.length
  }

  isLive(at: number): boolean {
    return this.#rows[at >>> CHUNK_BITS][(at & IN_CHUNK) * WIDTH + MARK] >= LIVE
  }

  /** The description at a place below `length`, as it was put, in an object of its own; null where nobody is described. */
  get(at: number): StoredAgent | null {
    const chunk = at >>> CHUNK_BITS
    const rows = this.#rows[chunk]
    const row = (at & IN_CHUNK) * WIDTH
    const mark = rows[row + MARK] | 0
    if (mark < LIVE) return null
    const lat = rows[row + LAT]
    const lon = rows[row + LON]
    const rest = this.#rest[chunk][at & IN_CHUNK]
    const country = mark & COUNTRY
    const id = this.idOf(at)
    // NaN is below nothing.
    if (rest === null && country !== NO_COUNTRY && lat <= 90 && lon <= 180) {
      return new Placed(id, countryCodes[country], lat, lon)
    }
    return whole(id, country, lat, lon, rest)
  }

  /** The id of who is described at a place, or was last; '' where there is none. */
  idOf(at: number): string {
    return this.#ids.get(at) ?? ''
  }

  /** Reads what describing somebody anew will read, for who reads ahead. */
  touch(at: number): number {
    return this.idOf(at).length + (this.isLive(at) ? 1 : 0)
  }

  /** Degrees; NaN where the agent does not say. */
  latOf(at: number): number {
    return this.#rows[at >>> CHUNK_BITS][(at & IN_CHUNK) * WIDTH + LAT]
  }

  lonOf(at: number): number {
    return this.#rows[at >>> CHUNK_BITS][(at & IN_CHUNK) * WIDTH + LON]
  }

  /** What the agent says beside who and where it is, or null. */
  restOf(at: number): Readonly<Rest> | null {
    return this.#rest[at >>> CHUNK_BITS][at & IN_CHUNK]
  }

  /** The address that targets see the agent come from. */
  exitOf(at: number): string {
    const rest = this.restOf(at)
    return rest === null || rest.exitIp === undefined ? this.idOf(at) : rest.exitIp
  }

  /** Who is described at a place already is described anew, and keeps the id that is there. */
  set(at: number, agent: StoredAgent): void {
    const chunk = at >>> CHUNK_BITS
    if (chunk >= this.#rows.length) this.#grow(chunk)
    // The same id in another string would be one more for the collector to copy.
    if (!this.isLive(at)) this.#ids.set(at, agent.id)
    const { country, lat, lon } = agent
    const index = country === undefined ? NO_COUNTRY : countryIndex(country)
    const rows = this.#rows[chunk]
    const row = (at & IN_CHUNK) * WIDTH
    rows[row + LAT] = lat === undefined ? NaN : lat
    rows[row + LON] = lon === undefined ? NaN : lon
    rows[row + MARK] = LIVE | index
    this.#setRest(at, restOf(agent, index))
  }

  /** Keeps an id alone. */
  bury(at: number, id: string): void {
    this.#ids.set(at, id)
    const chunk = at >>> CHUNK_BITS
    if (chunk >= this.#rows.length) this.#grow(chunk)
    this.#rows[chunk][(at & IN_CHUNK) * WIDTH + MARK] = 0
    this.#setRest(at, null)
  }

  clear(at: number): void {
    this.bury(at, '')
  }

  #setRest(at: number, rest: Rest | null): void {
    const chunk = at >>> CHUNK_BITS
    if (this.#rest[chunk] === NOTHING) {
      if (rest === null) return
      this.#rest[chunk] = NOTHING.slice()
    }
    const known = this.#rest[chunk] as (Rest | null)[]
    known[at & IN_CHUNK] = rest
  }

  #grow(chunk: number): void {
    for (let i = this.#rows.length; i <= chunk; i++) {
      this.#rows.push(new Float64Array(roomFor(CHUNK * WIDTH * 8, i)))
      this.#rest.push(NOTHING)
    }
  }
}

/** What the columns do not hold, or null. A country that has no index here may have come from a store that others share. */
function restOf(agent: StoredAgent, index: number): Rest | null {
  const { region, city, exitIp, asn, tags, weight, maxConcurrency, url, drained } = agent
  const isStrange = index === NO_COUNTRY && agent.country !== undefined
  if (
    !isStrange &&
    region === undefined &&
    city === undefined &&
    exitIp === undefined &&
    asn === undefined &&
    tags === undefined &&
    weight === undefined &&
    maxConcurrency === undefined &&
    url === undefined &&
    drained === undefined
  ) {
    return null
  }
  const rest: Rest = {}
  if (isStrange) rest.country = agent.country
  if (region !== undefined) rest.region = region
  if (city !== undefined) rest.city = city
  if (exitIp !== undefined) rest.exitIp = exitIp
  if (asn !== undefined) rest.asn = asn
  if (tags !== undefined) rest.tags = tags
  if (weight !== undefined) rest.weight = weight
  if (maxConcurrency !== undefined) rest.maxConcurrency = maxConcurrency
  if (url !== undefined) rest.url = url
  if (drained !== undefined) rest.drained = drained
  return rest
}

function whole(
  id: string,
  country: number,
  lat: number,
  lon: number,
  rest: Rest | null,
): StoredAgent {
  const agent: Rest & { id: string } = { id }
  if (country !== NO_COUNTRY) agent.country = countryCodes[country]
  if (!Number.isNaN(lat)) agent.lat = lat
  if (!Number.isNaN(lon)) agent.lon = lon
  return rest === null ? agent : Object.assign(agent, rest)
}
