import { describe, expect, it } from 'vitest'
import { compared, guardProblems, least, type Costs } from '../../bench/src/run/ratios.ts'

const WAS: Costs = { admit: { ratio: 2, bytes: 200 }, handle: { ratio: 0.5, bytes: 0 } }

describe('the guard', () => {
  it('is content with what it has recorded, and with noise about it', () => {
    expect(guardProblems(WAS, WAS)).toEqual([])
    expect(guardProblems(WAS, { ...WAS, admit: { ratio: 3, bytes: 210 } })).toEqual([])
  })

  it('complains of a path that has become twice as slow', () => {
    const found = guardProblems(WAS, { ...WAS, admit: { ratio: 4, bytes: 200 } })
    expect(found).toEqual([expect.stringContaining('admit: 2.0 times as slow')])
  })

  it('complains of a path that starts to allocate', () => {
    const found = guardProblems(WAS, { ...WAS, handle: { ratio: 0.5, bytes: 16 } })
    expect(found).toEqual(['handle: allocates 16 bytes a call, was 0'])
  })

  it('counts the cheapest of several runs: noise only adds', () => {
    const noisy: Costs = { ...WAS, admit: { ratio: 9, bytes: 900 } }
    expect(guardProblems(WAS, least([noisy, WAS, noisy]))).toEqual([])
  })

  it('complains of a path that is gone, and of one that nobody recorded', () => {
    const { admit, handle } = WAS
    expect(guardProblems(WAS, { admit })).toEqual(['handle: was not measured'])
    expect(guardProblems({ admit }, { admit, handle })).toEqual(['handle: is not recorded'])
  })
})

describe('a comparison', () => {
  it('says slower or faster where the whole interval is on one side', () => {
    expect(compared([1.5, 1.52, 1.49, 1.51, 1.5]).verdict).toBe('slower')
    expect(compared([0.5, 0.52, 0.49, 0.51, 0.5]).verdict).toBe('faster')
  })

  it('says equal of what differs by chance alone', () => {
    expect(compared([1.02, 0.97, 1.01, 0.99, 1, 1.03]).verdict).toBe('equal')
  })

  it('says unsure where the runs differ too much to show anything', () => {
    expect(compared([1.4, 0.7, 1.2, 0.8, 1]).verdict).toBe('unsure')
  })

  it('says equal of a difference that is sure and too small to matter', () => {
    expect(compared([1.011, 1.01, 1.012, 1.01, 1.011, 1.011]).verdict).toBe('equal')
  })

  it('gives the interval of 99 % about the mean of the logarithms', () => {
    const { ratio, low, high } = compared([1, 4])
    expect(ratio).toBeCloseTo(2)
    // Half of log 4 is the deviation of each: sqrt(2) * log 2 over sqrt(2), by 63.66.
    expect(Math.log(high / ratio)).toBeCloseTo(63.66 * Math.log(2), 5)
    expect(low * high).toBeCloseTo(4)
  })
})
