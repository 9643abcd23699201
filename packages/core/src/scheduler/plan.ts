// hot path: every pick is checked here.

import { CONTROL, domainOf, MAX_TARGET_CHARACTERS } from '../domain.ts'
import { OstlerError, shown, unknownField } from '../errors.ts'
import { parseGeo, type GeoHint } from '../geo/hint.ts'
import { keyProblem } from '../limit/key.ts'
import type { Fleet } from '../pick/fleet.ts'
import type { Query } from '../pick/query.ts'
import { MAX_LEASE_MS } from './options.ts'
import { Remembered } from './remembered.ts'
import type { PickRequest } from './requests.ts'

/** A pick request, checked and ready to walk. */
export interface Plan {
  readonly domain: string
  /** Of one who asks for nothing but the hint; shared by all who do. */
  readonly plain: Query
  readonly session: string | null
  readonly avoid: readonly string[] | null
  readonly pin: readonly string[] | null
  readonly tags: readonly string[] | null
  readonly deadlineMs: number
  readonly seed: number | undefined
}

const MAX_IDS = 1000
const MAX_TAGS = 16
const MAX_SEED = 4_294_967_295
const FIELDS: readonly string[] = [
  'url',
  'domain',
  'geo',
  'session',
  'avoid',
  'pin',
  'tags',
  'seed',
  'deadlineMs',
]

const SLASH = 47
const QUESTION_MARK = 63
const HASH = 35
const BACKSLASH = 92

const ANYWHERE: Query = asking(null)

/** Turns requests into plans; remembers the domains and hints that come again. */
export class Planner {
  readonly #fleet: Fleet
  readonly #scope: 'registrable' | 'host'
  readonly #leaseMs: number
  readonly #domains: Remembered<string> = new Remembered(20_000)
  readonly #plain: Remembered<Query> = new Remembered(500)

  constructor(fleet: Fleet, scope: 'registrable' | 'host', leaseMs: number) {
    this.#fleet = fleet
    this.#scope = scope
    this.#leaseMs = leaseMs
  }

  /** @throws OstlerError INVALID_REQUEST, INVALID_TARGET, INVALID_GEO */
  plan(request: PickRequest, nowMs: number): Plan {
    if (typeof request !== 'object' || request === null) {
      refuse(`must be { url | domain, ... }, got ${shown(request)}`)
    }
    for (const field in request) {
      if (!isField(field)) refuse(`request ${unknownField(field, 'a pick request', FIELDS)}`)
    }
    const { geo, session, avoid, pin, tags, seed, deadlineMs } = request
    if (session !== undefined) {
      const problem = keyProblem(session)
      if (problem !== null) refuse(`session ${problem}`)
    }
    if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
      refuse(`seed must be an integer from 0 to ${MAX_SEED}, got ${shown(seed)}`)
    }
    return {
      domain: this.#domain(request),
      plain: geo === undefined ? ANYWHERE : this.#hinted(geo),
      session: session ?? null,
      avoid: avoid === undefined ? null : checkedIds('avoid', avoid),
      pin: pin === undefined ? null : checkedIds('pin', pin),
      tags: tags === undefined ? null : checkedTags(tags),
      deadlineMs:
        deadlineMs === undefined ? nowMs + this.#leaseMs : checkedDeadline(deadlineMs, nowMs),
      seed,
    }
  }

  /**
   * The query of a plan, for the fleet as it is now: agents' numbers go to others when agents leave, so a query
   * is made anew once the fleet may have changed. `refused`: agents that the store has turned down.
   */
  query(plan: Plan, refused: readonly string[]): Query {
    const { plain, session, tags, pin } = plan
    const isPlain = session === null && tags === null && pin === null
    if (isPlain && plan.avoid === null && refused.length === 0) return plain
    const avoid = plan.avoid === null ? refused : [...plan.avoid, ...refused]
    return {
      hint: plain.hint,
      avoid: avoid.length === 0 ? null : this.#numbers(avoid),
      pin: pin === null ? null : this.#numbers(pin),
      tags,
      session,
    }
  }

  /** The health key of a url or of a domain that is given as such. */
  domain(target: string): string {
    if (typeof target !== 'string') return domainOf(target, { scope: this.#scope })
    const key = authorityOf(target)
    const known = this.#domains.get(key)
    // What else `domainOf` refuses is refused of a url whose domain was seen before, too.
    if (known !== undefined && (key === target || fits(target))) return known
    const domain = domainOf(target, { scope: this.#scope })
    this.#domains.set(key, domain)
    return domain
  }

  #domain(request: PickRequest): string {
    const { url, domain } = request
    if ((url === undefined) === (domain === undefined)) {
      refuse('must name exactly one of url and domain')
    }
    // A domain that was given before is its own key; a url's is cut out of it.
    const known = domain === undefined ? undefined : this.#domains.get(domain)
    return known ?? this.domain((url === undefined ? domain : url) as string)
  }

  #hinted(geo: string): Query {
    if (typeof geo !== 'string') return asking(parseGeo(geo))
    let query = this.#plain.get(geo)
    if (query === undefined) {
      query = asking(parseGeo(geo))
      this.#plain.set(geo, query)
    }
    return query
  }

  #numbers(ids: readonly string[]): ReadonlySet<number> {
    const numbers = new Set<number>()
    for (const id of ids) {
      const agent = this.#fleet.find(id)
      if (agent !== -1) numbers.add(agent)
    }
    return numbers
  }
}

function asking(hint: GeoHint | null): Query {
  return { hint, avoid: null, pin: null, tags: null, session: null }
}

/** By comparison: the names of an object's fields are kept once, so that each costs a look at its address. */
function isField(name: string): boolean {
  switch (name) {
    case 'url':
    case 'domain':
    case 'geo':
    case 'session':
    case 'avoid':
    case 'pin':
    case 'tags':
    case 'seed':
    case 'deadlineMs':
      return true
    default:
      return false
  }
}

/** Scheme and authority: all of a url that its domain depends on. */
function authorityOf(target: string): string {
  const slashes = target.indexOf('://')
  if (slashes === -1) return target
  for (let i = slashes + 3; i < target.length; i++) {
    const unit = target.charCodeAt(i)
    if (unit === SLASH || unit === QUESTION_MARK || unit === HASH || unit === BACKSLASH) {
      return target.slice(0, i)
    }
  }
  return target
}

function fits(target: string): boolean {
  return target.length <= MAX_TARGET_CHARACTERS && !CONTROL.test(target)
}

function checkedIds(name: string, ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids) || ids.length > MAX_IDS) {
    refuse(`${name} must be an array of at most ${MAX_IDS} agent ids, got ${shown(ids)}`)
  }
  for (const id of ids) {
    if (typeof id !== 'string') refuse(`${name} must hold agent ids, got ${shown(id)}`)
  }
  return [...ids]
}

function checkedTags(tags: readonly string[]): readonly string[] | null {
  if (!Array.isArray(tags) || tags.length > MAX_TAGS) {
    refuse(`tags must be an array of at most ${MAX_TAGS} tags, got ${shown(tags)}`)
  }
  for (const tag of tags) {
    const problem = keyProblem(tag)
    if (problem !== null) refuse(`tags must hold tags: each ${problem}`)
  }
  return tags.length === 0 ? null : [...tags]
}

function checkedDeadline(deadlineMs: number, nowMs: number): number {
  const latest = nowMs + MAX_LEASE_MS
  if (Number.isSafeInteger(deadlineMs) && deadlineMs > nowMs && deadlineMs <= latest) {
    return deadlineMs
  }
  return refuse(
    `deadlineMs must be an instant after now (${nowMs}), at most an hour ahead, got ${shown(deadlineMs)}`,
  )
}

function refuse(message: string): never {
  throw new OstlerError('INVALID_REQUEST', message)
}
