/** Fetches targets for the gateway, as the embedder describes it; its exit is the address that targets see. */
export interface Agent {
  /** 1 to 128 bytes, no control characters, no lone surrogates. */
  readonly id: string
  /** ISO 3166-1 alpha-2, upper case. With neither it nor coordinates the agent is at no place: picked last, never by a strict hint. */
  readonly country?: string
  /** ISO 3166-2, such as `US-CA`; its country part must be `country`. */
  readonly region?: string
  readonly city?: string
  /** Degrees, -90 to 90 and -180 to 180; both or neither. Default: the centre of the country. */
  readonly lat?: number
  readonly lon?: number
  /** The address that targets see. Agents of one exitIp share exclusions. Default: the id. */
  readonly exitIp?: string
  readonly asn?: number
  readonly tags?: readonly string[]
  /** Relative capacity, above 0. Default 1. */
  readonly weight?: number
  /** Dispatches at once, 1 to 65,535. Default 1,000. */
  readonly maxConcurrency?: number
  /** How the gateway reaches it; the core only carries it. May hold credentials: never log it. */
  readonly url?: string
}

/** An agent as stores keep it: drained agents get no new picks, and finish what they have. */
export interface StoredAgent extends Agent {
  readonly drained?: true
}

/** Every field of an agent, by name: a new one that is missing here does not compile. */
const NAMES: Readonly<Record<keyof Agent, true>> = {
  id: true,
  country: true,
  region: true,
  city: true,
  lat: true,
  lon: true,
  exitIp: true,
  asn: true,
  tags: true,
  weight: true,
  maxConcurrency: true,
  url: true,
}

export const AGENT_FIELDS: readonly (keyof Agent)[] = Object.keys(NAMES) as (keyof Agent)[]

type Fields = { -readonly [Field in keyof StoredAgent]: StoredAgent[Field] }

/**
 * Makes a plain object of an agent at a place. The engine remembers of a literal how long what it made lived while the first agents were put, and from
 * then on makes the like where the old generation is, to be cleared away by a pause: 12 ms in each 60 portions of 1,000. Of a constructor it does not.
 */
export const Placed = function (
  this: Fields,
  id: string,
  country: string,
  lat: number,
  lon: number,
): void {
  this.id = id
  this.country = country
  this.lat = lat
  this.lon = lon
} as unknown as new (id: string, country: string, lat: number, lon: number) => Fields
Placed.prototype = Object.prototype

const shape: Fields[] = []

/** Keeps one such object: when the last of a shape is collected, all code that was compiled for it is thrown away, and a portion takes 20 times as long. */
export function keepShape(): void {
  if (shape.length === 0) shape.push(new Placed('', '', 0.5, 0.5))
}

/** Dispatches at once of an agent that says nothing of it. */
export const DEFAULT_CONCURRENCY = 1000

/** The address that targets see an agent come from: exclusions bind to it. */
export function exitOf(agent: Agent): string {
  return agent.exitIp ?? agent.id
}
