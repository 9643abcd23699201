export { Scheduler } from './scheduler/scheduler.ts'
export type { SchedulerOptions, Tier } from './scheduler/options.ts'
export type { DegradedOptions } from './scheduler/degraded-options.ts'
export type { Standing } from './scheduler/circuit.ts'
export type { KeyHandle } from './scheduler/key.ts'
export type {
  AdmitRequest,
  CandidateReason,
  Decision,
  DomainHealth,
  Exhausted,
  ExhaustedCause,
  Explained,
  ExplainedCandidate,
  ExplainedLocality,
  Permit,
  PickCounts,
  Picked,
  PickRequest,
  PickResult,
} from './scheduler/requests.ts'
export type { Page } from './scheduler/health.ts'
export type { Agents } from './scheduler/agents.ts'
export {
  withAgent,
  type PickAndReport,
  type Settlement,
  type Tried,
  type WithAgentOptions,
  type WithAgentResult,
} from './scheduler/with-agent.ts'

export { memoryStore, type MemoryStoreOptions } from './store/memory.ts'
export type * from './store/gate.ts'
export type * from './store/idempotency.ts'
export type * from './store/store.ts'
export { AGENT_FIELDS, type Agent, type StoredAgent } from './pick/agent.ts'

export {
  stateAt,
  join,
  sameRecord,
  isExclusion,
  isPickable,
  LATE_REPORT_MS,
} from './health/record.ts'
export type {
  ExclusionReason,
  Health,
  HealthPolicy,
  OutcomeKind,
  PairRecord,
  PairState,
  Rung,
} from './health/record.ts'
export { transition, type OutcomeEvent, type PairEvent } from './health/transition.ts'
export { DEFAULT_HEALTH_POLICY, excludedUntilMs } from './health/ladder.ts'
export {
  DEFAULT_BREAKER_POLICY,
  trip,
  type AgentBreaker,
  type BreakerPolicy,
} from './health/breaker.ts'
export {
  DEFAULT_INCIDENT_POLICY,
  incidentAt,
  observe,
  QUIET_MS,
  type DomainEvent,
  type Incident,
  type IncidentCause,
  type IncidentPolicy,
  type Watch,
} from './health/incident.ts'

export type { ExactPolicy, Policy, ResolvedPolicy, SmoothPolicy } from './limit/policy.ts'
export { MAX_LIMIT, resolvePolicy } from './limit/policy.ts'
export {
  decideWindow,
  effectiveMs,
  EMPTY_LOG,
  liveHits,
  withHit,
  withoutHit,
  type Hit,
  type HitLog,
  type WindowDecision,
} from './limit/window.ts'
export {
  EMPTY_TAT,
  gcraAdmit,
  gcraRefund,
  gcraRemaining,
  gcraRetryMs,
  restoredAtMs,
  type Tat,
} from './limit/gcra.ts'
export { permitRetryMs } from './limit/permit.ts'
export { checkKey } from './limit/key.ts'

export { parseGeo, type GeoHint, type GeoWish } from './geo/hint.ts'
export {
  centreOf,
  continentCentre,
  continentCodes,
  continentRange,
  countryCodes,
  countryIndex,
  isContinent,
  isCountry,
  NO_COUNTRY,
  regionCentre,
  type Place,
} from './geo/places.ts'
export { distanceKm } from './geo/sphere.ts'

export {
  classify,
  type Classification,
  type ClassifiedOutcome,
  type ClassifyOptions,
  type ResponseHeaders,
  type TargetResponse,
} from './classify/classify.ts'
export { VENDOR_RULES, type VendorRule } from './classify/vendors.ts'
export { domainOf, type DomainOptions, type UrlLike } from './domain.ts'
export { systemClock, type Clock } from './clock.ts'
export { hash32, seededRandom, type Random } from './random.ts'
export {
  expectInteger,
  OstlerError,
  shown,
  throwIfAny,
  unknownField,
  type ErrorCode,
  type Problem,
} from './errors.ts'
