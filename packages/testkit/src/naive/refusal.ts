import type { Agent, ExhaustedCause, PickCounts } from '@ostler/core'

/** What a refusal asks about each agent of the fleet at this instant. */
export interface NaiveStanding {
  /** Within the strict hint, and not vetoed. */
  isInGeo(agent: Agent): boolean
  /** Passes avoid, pins and tags. */
  isWanted(agent: Agent): boolean
  /** Drained or resting. */
  isDown(agent: Agent): boolean
  /** Its pair is neither available nor forgotten. */
  isExcluded(agent: Agent): boolean
  /** Its pair is available or on probation. */
  isPickable(agent: Agent): boolean
  isFull(agent: Agent): boolean
  /** When it is pickable again if nothing else happens; Infinity where time alone cannot help. */
  pickableAtMs(agent: Agent): number
}

/** Why nothing was picked: the first cause that holds. */
export function naiveCause(
  fleet: readonly Agent[],
  hasPins: boolean,
  standing: NaiveStanding,
): ExhaustedCause {
  if (fleet.length === 0) return 'fleet_empty'
  const near = fleet.filter((agent) => standing.isInGeo(agent))
  if (near.length === 0) return 'geo_empty'
  const wanted = near.filter((agent) => standing.isWanted(agent))
  if (wanted.length === 0) return 'filter_empty'
  if (hasPins) return 'pinned_excluded'
  // A slot is all that is wanting: for a dispatch, or for a probe.
  const full = wanted.some(
    (agent) => !standing.isDown(agent) && standing.isPickable(agent) && standing.isFull(agent),
  )
  return full ? 'at_capacity' : 'all_excluded'
}

/** The earliest instant at which a wanted agent is pickable; null where there is none. */
export function naiveRetryAtMs(fleet: readonly Agent[], standing: NaiveStanding): number | null {
  let firstMs = Infinity
  for (const agent of fleet) {
    if (!standing.isInGeo(agent) || !standing.isWanted(agent)) continue
    firstMs = Math.min(firstMs, standing.pickableAtMs(agent))
  }
  return firstMs === Infinity ? null : firstMs
}

/** Those that are down count as that, whether they are excluded besides or not. */
export function naiveCounts(fleet: readonly Agent[], standing: NaiveStanding): PickCounts {
  const up = fleet.filter((agent) => !standing.isDown(agent))
  return {
    agents: fleet.length,
    excluded: up.filter((agent) => standing.isExcluded(agent)).length,
    down: fleet.filter((agent) => standing.isDown(agent)).length,
    busy: fleet.filter((agent) => standing.isFull(agent)).length,
  }
}
