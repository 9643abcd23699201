import { expect, test } from 'vitest'
import {
  logEntries,
  policiesProblems,
  policyProblems,
  resolvePolicy,
} from '../../../packages/core/src/limit/policy.ts'

const free = { name: 'free', limit: 60, windowMs: 60_000 }
const DAY_MS = 86_400_000

test.each([
  [free],
  [{ ...free, name: 'A.b_c:d-9' }],
  [{ ...free, limit: 0 }],
  [{ ...free, limit: 2 ** 31 - 1, windowMs: 31 * DAY_MS }],
  [{ ...free, limit: 257, windowMs: 1 }],
  [{ ...free, limit: 4096, windowMs: 31 * DAY_MS, quantumMs: 1 }],
  [{ ...free, limit: 5000, windowMs: 4096, quantumMs: 1 }],
  [{ ...free, quantumMs: 60_000 }],
  [{ ...free, smooth: { burst: 1 } }],
  [{ ...free, limit: 2 ** 31 - 1, windowMs: 1, smooth: { burst: 2 ** 31 - 1 } }],
])('takes %j', (policy) => {
  expect(policyProblems(policy, 'p')).toEqual([])
})

test.each([
  [null, 'p', 'must be a policy object, got null'],
  [[free], 'p', 'got an array of 1'],
  [{ ...free, name: '' }, 'p.name', '1 to 64 characters'],
  [{ ...free, name: 'x'.repeat(65) }, 'p.name', '1 to 64 characters'],
  [{ ...free, name: 'a b' }, 'p.name', 'got "a b"'],
  [{ ...free, name: 'permits' }, 'p.name', 'reserved'],
  [{ ...free, name: 'none' }, 'p.name', 'reserved'],
  [{ ...free, limit: -1 }, 'p.limit', 'from 0 to 2147483647, got -1'],
  [{ ...free, limit: 2 ** 31 }, 'p.limit', 'got 2147483648'],
  [{ ...free, limit: Number.NaN }, 'p.limit', 'got NaN'],
  [{ ...free, limit: 1.5 }, 'p.limit', 'got 1.5'],
  [{ ...free, limit: '60' }, 'p.limit', 'got "60"'],
  [{ ...free, windowMs: 0 }, 'p.windowMs', 'from 1 to 2678400000, got 0'],
  [{ ...free, windowMs: 31 * DAY_MS + 1 }, 'p.windowMs', 'got 2678400001'],
  [{ ...free, windowMs: Infinity }, 'p.windowMs', 'got Infinity'],
  [{ ...free, quantumMs: 0 }, 'p.quantumMs', 'from 1 to 60000, got 0'],
  [{ ...free, quantumMs: 60_001 }, 'p.quantumMs', 'from 1 to 60000'],
  [
    { ...free, windowMs: 31 * DAY_MS, quantumMs: 17 * DAY_MS },
    'p.quantumMs',
    'from 1 to 1382400000',
  ],
  [{ ...free, limit: 5000, quantumMs: 1 }, 'p.quantumMs', 'must be at least 15 (a key'],
  [{ ...free, limit: 5000, windowMs: 4097, quantumMs: 1 }, 'p.quantumMs', '(4097 entries)'],
  [{ ...free, smooth: true }, 'p.smooth', 'an object with a burst'],
  [{ ...free, smooth: {} }, 'p.smooth.burst', 'got undefined'],
  [{ ...free, smooth: { burst: 0 } }, 'p.smooth.burst', 'from 1 to 2147483647, got 0'],
  [
    { ...free, smooth: { burst: 1, rate: 2 } },
    'p.smooth',
    'has "rate", which is not a field of smooth: burst',
  ],
  [{ ...free, smooth: { burst: 1 }, quantumMs: 1 }, 'p.quantumMs', 'must be absent'],
  [{ ...free, limit: 0, smooth: { burst: 1 } }, 'p.limit', 'at least 1 with smooth'],
  [
    { ...free, windowMs: 31 * DAY_MS, smooth: { burst: 2 ** 31 - 1 } },
    'p.smooth.burst',
    'must be at most 3362902',
  ],
  [{ ...free, window: 1 }, 'p', 'has "window", which is not a field of a policy: name'],
])('refuses %j', (policy, path, message) => {
  const problems = policyProblems(policy, 'p')
  expect(problems.map((problem) => problem.path)).toContain(path)
  expect(problems.map((problem) => problem.message).join()).toContain(message)
})

test('lists all problems at once', () => {
  const problems = policyProblems({ name: 1, limit: -1, windowMs: 0, quantumMs: 'x' }, 'p')
  expect(problems.map(({ path }) => path)).toEqual([
    'p.name',
    'p.limit',
    'p.windowMs',
    'p.quantumMs',
  ])
})

test('the least quantum it names is the least that fits', () => {
  for (const windowMs of [4097, 5000, 60_000, 8190, 8191, 8192, 31 * DAY_MS]) {
    const [problem] = policyProblems({ ...free, limit: 1e6, windowMs, quantumMs: 1 }, 'p')
    const least = Number(/at least (\d+)/.exec(problem.message)?.[1])
    expect(logEntries(1e6, windowMs, least)).toBeLessThanOrEqual(4096)
    expect(logEntries(1e6, windowMs, least - 1)).toBeGreaterThan(4096)
  }
})

test('counts how many quanta can count at once', () => {
  for (let windowMs = 1; windowMs <= 30; windowMs++) {
    for (let q = 1; q <= windowMs; q++) {
      let most = 0
      for (let nowMs = 1000; nowMs < 1000 + q; nowMs++) {
        const newest = nowMs - (nowMs % q) + q - 1
        let count = 0
        for (let e = newest; e > nowMs - windowMs; e -= q) count++
        most = Math.max(most, count)
      }
      expect(logEntries(1e6, windowMs, q)).toBe(most)
    }
  }
})

test('fills in the default quantum: exact up to a limit of 256, 1/256 of the window above', () => {
  expect(resolvePolicy({ ...free, limit: 256 })).toEqual({
    kind: 'exact',
    ...free,
    limit: 256,
    quantumMs: 1,
  })
  expect(resolvePolicy({ ...free, limit: 257 })).toMatchObject({ quantumMs: 235 })
  expect(resolvePolicy({ ...free, quantumMs: 1000 })).toMatchObject({ quantumMs: 1000 })
  expect(resolvePolicy({ ...free, smooth: { burst: 5 } })).toEqual({
    kind: 'smooth',
    ...free,
    burst: 5,
  })
})

test('refuses a tier with repeated names, too many policies, or none at all', () => {
  expect(policiesProblems([], 'tiers.a.policies')).toEqual([])
  expect(policiesProblems(free, 'x')[0].message).toContain('must be an array')
  expect(policiesProblems([free, free], 'x')[0].path).toBe('x[1].name')
  expect(
    policiesProblems(
      Array.from({ length: 17 }, () => free),
      'x',
    )[0].message,
  ).toContain('at most 16')
  expect(policiesProblems([free, { ...free, name: 'b', limit: -1 }], 'x')[0].path).toBe(
    'x[1].limit',
  )
})
