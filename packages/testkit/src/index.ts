export { ManualClock } from './clock.ts'
export { contractCaseNames, storeContract, type ContractOptions } from './contract.ts'
export type { ContractRunner, OpenedStore } from './contract/runner.ts'
export {
  agentArbitrary,
  fleetArbitrary,
  hintArbitrary,
  outcomeArbitrary,
  placeArbitrary,
  policyArbitrary,
  requestArbitrary,
  type RequestPools,
} from './arbitraries.ts'
export { NaiveBreakers } from './naive/breaker.ts'
export { NaiveFleet, type NaiveMember } from './naive/fleet.ts'
export { NaiveHealth, type NaiveReport } from './naive/health.ts'
export { NaiveIncident, type NaiveTrouble } from './naive/incident.ts'
export { NaiveLeases, type NaiveLeaseStanding } from './naive/leases.ts'
export { NaiveLimiter } from './naive/limiter.ts'
export { applyOutcome, type OutcomeContext } from './naive/outcomes.ts'
export { freshPair, naivePickableAtMs, naiveStateAt } from './naive/pair.ts'
export type { NaivePair, NaiveState } from './naive/pair.ts'
export { NaivePermits } from './naive/permits.ts'
export { NaiveScheduler } from './naive/scheduler.ts'
export type { NaiveOptions, NaivePick } from './naive/scheduler.ts'
export type { NaiveCounts, NaiveQuestion } from './naive/question.ts'
export { naiveDistanceKm, naiveSteps, whereIs, type NaiveStep } from './naive/steps.ts'
export { command, runScript, type Command } from './model/command.ts'
export { pickCommand, explainCommand } from './model/pick.ts'
export { reportCommand, waveCommand, excludeCommand, restoreCommand } from './model/health.ts'
export { admitCommand, refundCommand, releaseCommand, renewCommand } from './model/limits.ts'
export { commandArbitrary, scriptArbitrary, type ScriptPools } from './model/script.ts'
export { World, type WorldOptions } from './model/world.ts'
