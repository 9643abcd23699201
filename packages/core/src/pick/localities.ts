import { boxDistanceKmFrom, distanceKm } from '../geo/sphere.ts'

/**
 * A locality of the walk: the agents of one country (and region) whose coordinates round to one tenth of a degree.
 * Its positions are segments of its country's range, sorted by start; `up` counts those of its agents that may be picked.
 */
export interface Place {
  /** Small and reused: places are known by it. */
  readonly number: number
  readonly country: number
  readonly region: string | undefined
  /** Row and column of its tenth of a degree, as `squareOf` has it; -1 for the place of agents that are at no place. */
  readonly square: number
  /** Degrees; NaN for the place of agents that are at no place. */
  readonly lat: number
  readonly lon: number
  readonly cell: Cell | null
  /** Looked up when it is wanted; null after the agents here have changed. */
  name: string | null
  /** Replaced when they change: an array that is pushed to has room for sixteen more, and places are many. */
  starts: readonly number[]
  ends: readonly number[]
  /** The country of each segment: the same one, so that a place may be walked as a step. */
  countries: readonly number[]
  /** The position that was given back last, from which the others follow; or -1. */
  free: number
  /** Positions of the newest segment that nobody has had yet. */
  fresh: number
  freshEnd: number
  agents: number
  up: number
  /** Agents of a bulk change that still want a position here: the next segment is made that long. */
  wanted: number
}

/** A square of the pyramid: 4 by 4 squares of the level below, down to one tenth of a degree. */
export interface Cell {
  readonly level: number
  readonly row: number
  readonly column: number
  readonly parent: Cell | null
  /** Replaced when they change, as a place's segments are. */
  kids: readonly Cell[]
  /** On level 0: the places at this very point, one for each country and region. */
  places: readonly Place[]
  up: number
}

const TOP_LEVEL = 6
const ROWS = 1800
const COLUMNS = 3600

export const rowOf = (lat: number): number => Math.round(lat * 10) + ROWS / 2
export const columnOf = (lon: number): number => (Math.round(lon * 10) + COLUMNS / 2) % COLUMNS
export const latOfRow = (row: number): number => (row - ROWS / 2) / 10
export const lonOfColumn = (column: number): number => (column - COLUMNS / 2) / 10

const NO_CELLS: readonly Cell[] = []
const NO_PLACES: readonly Place[] = []

/** The squares that hold places. Adding and removing cost O(levels). */
export class Pyramid {
  #root: Cell | undefined = undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get root(): Cell | undefined {
    return this.#root
  }

  /** The square of one tenth of a degree, made if it is new. */
  leaf(row: number, column: number): Cell {
    this.#root ??= this.#open(TOP_LEVEL, 0, 0, null)
    let cell = this.#root
    for (let level = TOP_LEVEL - 1; level >= 0; level--) {
      cell = this.#kid(cell, row >> (2 * level), column >> (2 * level))
    }
    return cell
  }

  /** Forgets a square without places, and those above that it leaves empty. */
  prune(leaf: Cell): void {
    let cell: Cell | null = leaf
    while (cell !== null && cell.places.length === 0 && cell.kids.length === 0) {
      this.#size--
      const { parent }: Cell = cell
      if (parent === null) this.#root = undefined
      else parent.kids = without(parent.kids, cell)
      cell = parent
    }
  }

  #kid(parent: Cell, row: number, column: number): Cell {
    for (const kid of parent.kids) if (kid.row === row && kid.column === column) return kid
    const kid = this.#open(parent.level - 1, row, column, parent)
    parent.kids = [...parent.kids, kid]
    return kid
  }

  #open(level: number, row: number, column: number, parent: Cell | null): Cell {
    this.#size++
    return { level, row, column, parent, kids: NO_CELLS, places: NO_PLACES, up: 0 }
  }
}

/** A list that is left without one of its items. */
export function without<T>(list: readonly T[], item: T): readonly T[] {
  return list.filter((other) => other !== item)
}

/** A walk over places, nearest first: best-first over the pyramid, O(log places) for each place that it gives. */
export class Outward {
  readonly #distances: number[] = []
  readonly #items: (Cell | Place)[] = []
  #lat = 0
  #lon = 0
  #sin = 0
  #cos = 1
  /** Km from the centre to the place that `next` gave last. */
  distanceKm = 0

  /** Starts at a centre, in degrees. */
  start(root: Cell | undefined, lat: number, lon: number): void {
    this.#aim(lat, lon)
    if (root !== undefined) this.#push(0, root)
  }

  /** Starts at a centre, to walk some places only. */
  startAmong(places: Iterable<Place>, lat: number, lon: number): void {
    this.#aim(lat, lon)
    for (const place of places) this.#push(distanceKm(lat, lon, place.lat, place.lon), place)
  }

  /**
   * The next place, or null after the last. Passes over squares that hold no agent that is up, and the `dead` ones;
   * over none with `EVERYWHERE`.
   */
  next(dead: DeadKids | null): Place | null {
    while (this.#items.length > 0) {
      const nearestKm = this.#distances[0]
      const item = this.#pop()
      if (!('kids' in item)) {
        this.distanceKm = nearestKm
        return item
      }
      const deadKids = dead === null ? 0 : (dead.get(item) ?? 0)
      for (const kid of item.kids) {
        if ((kid.up === 0 && dead !== EVERYWHERE) || (deadKids & bitOf(kid)) !== 0) continue
        this.#push(this.#toCell(kid), kid)
      }
      for (const place of item.places) {
        this.#push(distanceKm(this.#lat, this.#lon, place.lat, place.lon), place)
      }
    }
    return null
  }

  #aim(lat: number, lon: number): void {
    this.#distances.length = 0
    this.#items.length = 0
    this.#lat = lat
    this.#lon = lon
    this.#sin = Math.sin((lat * Math.PI) / 180)
    this.#cos = Math.cos((lat * Math.PI) / 180)
  }

  #toCell(cell: Cell): number {
    const size = 1 << (2 * cell.level)
    const south = latOfRow(cell.row * size)
    const west = lonOfColumn(cell.column * size)
    // Places stand at the centres of level 0, so the square of a cell ends at its last centre.
    const north = Math.min(latOfRow((cell.row + 1) * size - 1), 90)
    const east = Math.min(lonOfColumn((cell.column + 1) * size - 1), 180)
    return boxDistanceKmFrom(this.#lat, this.#lon, this.#sin, this.#cos, south, west, north, east)
  }

  #push(distanceKm: number, item: Cell | Place): void {
    const distances = this.#distances
    const items = this.#items
    let at = items.length
    distances.push(distanceKm)
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(distanceKm, item, distances[parent], items[parent])) break
      distances[at] = distances[parent]
      items[at] = items[parent]
      at = parent
    }
    distances[at] = distanceKm
    items[at] = item
  }

  #pop(): Cell | Place {
    const distances = this.#distances
    const items = this.#items
    const first = items[0]
    const distanceKm = distances.pop() as number
    const item = items.pop() as Cell | Place
    const size = items.length
    if (size === 0) return first
    let at = 0
    for (;;) {
      let kid = 2 * at + 1
      if (kid >= size) break
      if (
        kid + 1 < size &&
        before(distances[kid + 1], items[kid + 1], distances[kid], items[kid])
      ) {
        kid++
      }
      if (!before(distances[kid], items[kid], distanceKm, item)) break
      distances[at] = distances[kid]
      items[at] = items[kid]
      at = kid
    }
    distances[at] = distanceKm
    items[at] = item
    return first
  }
}

/** By square: its kids in which nobody is wanted, one bit each. */
export type DeadKids = ReadonlyMap<Cell, number>

/** In place of dead squares: all are walked, also those where nobody is up. */
export const EVERYWHERE: DeadKids = new Map()

/** A square's bit in its parent's mask. */
export function bitOf(cell: Cell): number {
  return 1 << (((cell.row & 3) << 2) | (cell.column & 3))
}

/** Squares first among equals: one may hold a place as near as the place it meets. */
function before(distanceA: number, a: Cell | Place, distanceB: number, b: Cell | Place): boolean {
  if (distanceA !== distanceB) return distanceA < distanceB
  const cellA = 'kids' in a
  const cellB = 'kids' in b
  if (cellA || cellB) return cellA && !cellB
  return precedes(a, b)
}

/** An order of places that is the same in every process: breaks ties of distance. */
function precedes(a: Place, b: Place): boolean {
  if (a.country !== b.country) return a.country < b.country
  if (a.lat !== b.lat) return a.lat < b.lat
  if (a.lon !== b.lon) return a.lon < b.lon
  return (a.region ?? '') < (b.region ?? '')
}
