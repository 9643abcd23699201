// Bugs planted into what stands in for a store that is out of reach, and into what follows one.

const SCHEDULER = 'packages/core/src/scheduler'
const tests = ['test/core/scheduler/degraded.test.ts', 'test/properties/degraded.test.ts']

export const degraded = [
  {
    name: 'stand-in-knows-nothing',
    file: `${SCHEDULER}/stand-in.ts`,
    find: '    this.#local.merge(domain, changes, nowMs)\n    const { version }',
    replace: '    const { version }',
    why: 'a pair on probation is given as if nothing had been, to as many as ask',
    tests,
  },
  {
    name: 'share-of-one',
    file: `${SCHEDULER}/stand-in.ts`,
    find: 'Math.max(1, Math.floor(limit / this.#instances))',
    replace: 'limit',
    why: 'each process admits the whole limit while the store is gone',
    tests,
  },
  {
    name: 'records-not-told',
    file: `${SCHEDULER}/stand-in.ts`,
    find: 'if (version === heard.store) continue',
    replace: 'continue',
    why: 'what was reported during an outage is known to nobody else after it',
    tests,
  },
  {
    name: 'debt-forgotten',
    file: `${SCHEDULER}/degraded.ts`,
    find: 'await standIn.debt.repay(store, nowMs)',
    replace: '',
    why: 'slots of leases that were reported during an outage stay taken, and the scheduler stays degraded',
    tests,
  },
  {
    name: 'failed-debt-dropped',
    file: `${SCHEDULER}/debt.ts`,
    find: "if (!(error instanceof OstlerError) || error.code === 'STORE_UNAVAILABLE') throw error",
    replace: '',
    why: 'a store that goes again while it is told loses what it was told',
    tests,
  },
  {
    name: 'circuit-never-opens',
    file: `${SCHEDULER}/circuit.ts`,
    find: '    this.reason = error\n    this.sinceMs',
    replace: '    this.sinceMs',
    why: 'every caller waits for the store in turn',
    tests,
  },
  {
    name: 'any-error-is-an-outage',
    file: `${SCHEDULER}/circuit.ts`,
    find: "if (!(error instanceof OstlerError) || error.code !== 'STORE_UNAVAILABLE') throw error",
    replace: 'if (!(error instanceof OstlerError)) throw error',
    why: 'a full store is answered by another one that is not full',
    tests,
  },
  {
    name: 'lost-data-not-told-again',
    file: `${SCHEDULER}/views.ts`,
    find: 'if (changes.lost === true) this.#tellAgain(view, nowMs)',
    replace: 'if (changes.lost === true) view.reset()',
    why: 'an emptied store gives every excluded exit out at once',
    tests,
  },
  {
    name: 'lost-fleet-not-put-again',
    file: `${SCHEDULER}/roster.ts`,
    find: 'if (before !== null) this.#putAgain(before, answer.changes)',
    replace: '',
    why: 'after a store was emptied new processes find no fleet',
    tests,
  },
]
