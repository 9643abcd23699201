import { OstlerError } from '@ostler/core'
import { redisStore, type RedisStoreOptions } from '@ostler/store-redis'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'

/** The problems of options, as `path message`. */
function problemsOf(options: unknown): string[] {
  try {
    const store = redisStore(options as RedisStoreOptions)
    void store.close()
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(OstlerError)
    expect((error as OstlerError).code).toBe('INVALID_OPTIONS')
    return (error as OstlerError).problems.map(({ path, message }) => `${path}: ${message}`)
  }
}

const url = 'redis://127.0.0.1:1'

describe('options', () => {
  it('need a server: a client or a url, and not both', () => {
    expect(problemsOf({})).toEqual(['options: must hold one of client and url, got neither'])
    const client = new Redis(url, { lazyConnect: true })
    expect(problemsOf({ client, url })[0]).toBe(
      'options: must hold one of client and url, got both',
    )
    expect(problemsOf(undefined)).toEqual([': options must be an object, got undefined'])
    expect(problemsOf([])).toEqual([': options must be an object, got an array of 0'])
  })

  it('name all that is wrong at once, by path', () => {
    const problems = problemsOf({
      url: 'http://127.0.0.1',
      prefix: 'a{b}',
      budgetMs: 4,
      time: 'mine',
      durability: 1,
      replicas: 17,
      denialCache: -1,
      subscribe: 'yes',
      maxAgents: Number.NaN,
      colour: 'red',
    })
    expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual([
      'budgetMs',
      'denialCache',
      'durability',
      'maxAgents',
      'options',
      'prefix',
      'replicas',
      'subscribe',
      'time',
      'url',
    ])
    expect(problems).toContain('budgetMs: must be an integer from 5 to 60000, got 4')
    expect(problems).toContain('time: must be "server" or "caller", got "mine"')
  })

  it('show no password of a url', () => {
    const problems = problemsOf({ url: 'https://someone:open-sesame@127.0.0.1' })
    expect(problems[0]).toContain('must be a redis:// or rediss:// url')
    expect(problems.join()).not.toContain('sesame')
  })

  it.each(['', 'not a url', 'redis://', 6379, null])('refuse %j for a url', (bad) => {
    expect(problemsOf({ url: bad })).toHaveLength(1)
  })

  it.each([{}, 'redis', { call: () => 1 }, null])('refuse %j for a client', (bad) => {
    const problems = problemsOf({ client: bad })
    expect(problems.some((problem) => problem.startsWith('client: must be an ioredis'))).toBe(true)
  })

  it('refuse a client whose numbers come as strings', () => {
    const client = new Redis(url, { lazyConnect: true, stringNumbers: true })
    expect(problemsOf({ client })[0]).toContain('stringNumbers')
  })
})
