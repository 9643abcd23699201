import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hash32 } from '../../../packages/core/src/random.ts'
import { ChangeLog } from '../../../packages/core/src/store/change-log.ts'
import { Names } from '../../../packages/core/src/store/names.ts'
import { AHEAD, HandleTable } from '../../../packages/core/src/table.ts'

interface Entry {
  readonly key: string
  readonly n: number
}

const newLog = (): ChangeLog<Entry> => new ChangeLog(({ key }) => key)

describe('HandleTable', () => {
  it.each(['keeps', 'is given'])(
    'finds every handle through growth and removal where it %s hashes, and reuses handles',
    (how) => {
      const given: number[] = []
      const table = new HandleTable(how === 'keeps' ? null : (handle) => given[handle])
      const live = new Map<number, number>()
      let state = 1
      const next = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0)
      for (let i = 0; i < 40_000; i++) {
        if (live.size > 0 && next() % 3 === 0) {
          const [handle] = live.keys()
          table.remove(handle)
          live.delete(handle)
          continue
        }
        // Few distinct hashes, so that chains are long now and then.
        const hash = i % 5 === 0 ? 7 : next()
        const handle = table.add(hash)
        expect(live.has(handle)).toBe(false)
        live.set(handle, hash)
        given[handle] = hash
      }
      expect(table.size).toBe(live.size)
      expect(table.handles).toBeLessThan(25_000)
      const sevens = new Set<number>()
      for (let h = table.first(7); h >= 0; h = table.next(h))
        if (table.hashOf(h) === 7) sevens.add(h)
      for (const [handle, hash] of live) {
        if (hash === 7) {
          if (!sevens.has(handle)) expect.fail(`${handle} is lost`)
          continue
        }
        if (how !== 'keeps') expect(table.mayHold(hash)).toBe(true)
        let found = table.first(hash)
        while (found >= 0 && found !== handle) found = table.next(found)
        if (found !== handle) expect.fail(`${handle} is lost`)
      }
    },
  )
})

describe('marks', () => {
  it('turn down nine in ten of the unknown, also after most have gone', () => {
    const given: number[] = []
    const table = new HandleTable((handle) => given[handle])
    const nameOf = (i: number): number => hash32(`n${i}`)
    for (let i = 0; i < 30_000; i++) given[table.add(nameOf(i))] = nameOf(i)
    const heldOf = (from: number): number => {
      let held = 0
      for (let i = from; i < from + 10_000; i++) if (table.mayHold(nameOf(i))) held++
      return held
    }
    expect(heldOf(0)).toBe(10_000)
    expect(heldOf(100_000)).toBeLessThan(1_500)
    for (let handle = 0; handle < 29_000; handle++) table.remove(handle)
    expect(heldOf(100_000)).toBeLessThan(100)
  })
})

describe('looking ahead', () => {
  it('finds what looking one by one does, and changes nothing', () => {
    const key = fc.nat(30).map((i) => `k${i}`)
    const keys = fc.array(key, { maxLength: 40 })
    fc.assert(
      fc.property(keys, keys, keys, (added, removed, asked) => {
        const table = new HandleTable()
        const live = new Map<string, number>()
        for (const name of added) if (!live.has(name)) live.set(name, table.add(hash32(name)))
        for (const name of removed) {
          if (live.has(name)) table.remove(live.get(name) as number)
          live.delete(name)
        }
        const found = new Int32Array(asked.length)
        table.findEach(
          Uint32Array.from(asked, (name) => hash32(name)),
          found,
          asked.length,
        )
        expect([...found]).toEqual(asked.map((name) => live.get(name) ?? -1))
      }),
      { numRuns: 300 },
    )
  })

  it('reads as many buckets as there are, however many are to be added', () => {
    const log = newLog()
    const keys = Array.from({ length: AHEAD }, (_, i) => `k${i}`)
    log.lookAhead(keys)
    keys.forEach((key, n) => log.set(key, { key, n }, n + 1))
    log.lookAhead(keys)
    expect([log.size, log.get('k0')?.n, log.get('k255')?.n]).toEqual([AHEAD, 0, 255])
  })
})

describe('Names', () => {
  it('gives each name one handle, and the handle its name', () => {
    const names = new Names()
    const handles = Array.from({ length: 5_000 }, (_, i) => names.add(`n${i}`))
    expect(new Set(handles).size).toBe(5_000)
    expect(names.find('n4321')).toBe(handles[4_321])
    expect(names.at(handles[17])).toBe('n17')
    names.remove(handles[17])
    expect([names.find('n17'), names.size]).toEqual([-1, 4_999])
    expect(names.add('again')).toBe(handles[17])
  })
})

describe('ChangeLog', () => {
  const changes = (log: ChangeLog<Entry>, since: number): [string, number | null][] => {
    const found: [string, number | null][] = []
    log.since(since, (key, value) => found.push([key, value?.n ?? null]))
    return found.reverse()
  }

  it('gives what changed since a version, once, in order of the last change', () => {
    const log = newLog()
    log.set('a', { key: 'a', n: 1 }, 1)
    log.set('b', { key: 'b', n: 2 }, 2)
    log.set('c', { key: 'c', n: 3 }, 3)
    log.set('a', { key: 'a', n: 4 }, 4)
    log.set('b', null, 5)
    expect(changes(log, 0)).toEqual([
      ['c', 3],
      ['a', 4],
      ['b', null],
    ])
    expect(changes(log, 4)).toEqual([['b', null]])
    expect([log.size, log.get('b'), log.get('a')?.n, log.oldest()?.key]).toEqual([2, null, 4, 'c'])
  })

  it('forgets the oldest dead beyond 1,024 more than the living, and says from which version on', () => {
    const log = newLog()
    let version = 0
    for (let i = 0; i < 3_000; i++) {
      log.set(`k${i}`, { key: `k${i}`, n: i }, ++version)
      log.set(`k${i}`, null, ++version)
    }
    log.set('live', { key: 'live', n: 1 }, ++version)
    expect(changes(log, 0)).toHaveLength(1_025)
    expect(log.floor).toBe(2 * (3_000 - 1_024))
  })

  it('keeps what has come back, however many have died since it was dead', () => {
    const log = newLog()
    let version = 0
    log.set('back', null, ++version)
    log.set('back', { key: 'back', n: 1 }, ++version)
    for (let i = 0; i < 3_000; i++) log.set(`k${i}`, null, ++version)
    expect([log.size, log.get('back')?.n]).toEqual([1, 1])
    expect(changes(log, 0)[0]).toEqual(['back', 1])
  })

  it('agrees with a list of changes', () => {
    const change = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(fc.nat(9), { freq: 2 }))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.nat(60), (steps, since) => {
        const log = newLog()
        let naive: { key: string; value: number | null; version: number }[] = []
        steps.forEach(([key, value], i) => {
          naive = naive.filter((entry) => entry.key !== key)
          log.set(key, value === null ? null : { key, n: value }, i + 1)
          naive.push({ key, value, version: i + 1 })
        })
        expect(changes(log, since)).toEqual(
          naive.filter((e) => e.version > since).map((e) => [e.key, e.value]),
        )
        expect(log.size).toBe(naive.filter((entry) => entry.value !== null).length)
      }),
      { numRuns: 300 },
    )
  })
})
