import { hash32, Seeded } from '../random.ts'
import { NOBODY, type Draw } from './draw.ts'
import type { Fleet } from './fleet.ts'
import { TO_THE_END } from './steps.ts'

/** Draws before the next agent around the step is taken. */
const MOST_DRAWS = 64

/**
 * The agent of a session in the step that `draw` is aimed at, or -1. Draws fall on positions, so that what
 * happens to other agents does not move it; then the next one around the step is taken.
 * Several countries are ranked by weighted rendezvous (C. Schindelhauer, G. Schomaker 2005) on their agents.
 * O(draws + countries * log n). `random` must be seeded by the session.
 */
export function sticky(fleet: Fleet, draw: Draw, session: number, random: Seeded): number {
  if (draw.count === 0) return NOBODY
  if (draw.pinned) return heaviest(fleet, draw.allPassing(), session)
  const { countries, whole } = draw.step
  if (!whole || countries.length === 1) {
    return around(fleet, draw, 0, countries.length, random)
  }
  for (const span of byRendezvous(fleet, draw, session)) {
    const agent = around(fleet, draw, span, span + 1, random)
    if (agent !== NOBODY) return agent
  }
  return NOBODY
}

/** Spans with healthy agents: the lowest -log(u) / weight first, u from the session and the country. */
function byRendezvous(fleet: Fleet, draw: Draw, session: number): number[] {
  const ranked: [score: number, span: number][] = []
  draw.step.countries.forEach((country, span) => {
    // Drained and resting agents count: another's rest moves no session.
    const weight = fleet.ranges.open(country).agents
    if (draw.countIn(span) > 0) ranked.push([-Math.log(unit(session, country)) / weight, span])
  })
  return ranked.sort((a, b) => a[0] - b[0]).map(([, span]) => span)
}

/** A number in (0, 1) from two integers (murmur3's finaliser). */
function unit(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b + 1, 0x9e3779b1), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 4294967296
}

function around(fleet: Fleet, draw: Draw, from: number, to: number, random: Seeded): number {
  let length = 0
  for (let span = from; span < to; span++) length += lengthOf(fleet, draw, span)
  let last = 0
  const jumps = new Seeded()
  for (let i = 0; i < MOST_DRAWS; i++) {
    // Jump consistent hash (J. Lamping, E. Veach 2014): each jump is the position at a length that the step once had. Where the
    // last one is free, the one before holds, so that positions without agents move nobody.
    jumps.start(random.below(4294967296))
    let agent = NOBODY
    for (let at = 0; at < length; at = Math.floor((at + 1) / (1 - jumps.next()))) {
      const here = occupant(fleet, draw, from, at)
      if (here !== NOBODY) agent = here
      last = at
    }
    if (agent !== NOBODY && fleet.isUp(agent) && draw.isWanted(agent) && draw.passes(agent)) {
      return agent
    }
  }
  return nextAfter(fleet, draw, from, to, last)
}

/** The first agent that passes at or after an offset into some spans, around. */
function nextAfter(fleet: Fleet, draw: Draw, from: number, to: number, offset: number): number {
  let first = 0
  for (let span = 0; span < from; span++) first += draw.countIn(span)
  let rank = 0
  let total = 0
  let start = 0
  for (let span = from; span < to; span++) {
    const length = lengthOf(fleet, draw, span)
    if (offset >= start + length) rank += draw.countIn(span)
    else if (offset >= start) rank += draw.countBelow(span, offset - start)
    start += length
    total += draw.countIn(span)
  }
  for (let turn = 0; turn < total; turn++) {
    const agent = draw.at(first + ((rank + turn) % total))
    if (draw.passes(agent)) return agent
  }
  return NOBODY
}

function occupant(fleet: Fleet, draw: Draw, from: number, offset: number): number {
  let span = from
  let rest = offset
  for (let length = lengthOf(fleet, draw, span); rest >= length;) {
    rest -= length
    length = lengthOf(fleet, draw, ++span)
  }
  return fleet.ranges.open(draw.step.countries[span]).agentAt(draw.step.starts[span] + rest)
}

function lengthOf(fleet: Fleet, draw: Draw, span: number): number {
  const { countries, starts, ends } = draw.step
  if (ends[span] !== TO_THE_END) return ends[span] - starts[span]
  return fleet.ranges.get(countries[span])?.length ?? 0
}

/** Rendezvous over a few agents: the highest hash of id and session. */
function heaviest(fleet: Fleet, agents: readonly number[], session: number): number {
  let best = NOBODY
  let weight = -1
  for (const agent of agents) {
    const hash = hash32(fleet.agents.idOf(agent), session)
    if (hash <= weight) continue
    best = agent
    weight = hash
  }
  return best
}
