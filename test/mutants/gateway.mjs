// Bugs planted into the gateway's HTTP.

const SRC = 'packages/gateway/src'
const fetches = ['test/gateway/fetch.test.ts']
const seeds = ['test/gateway/seeds.test.ts']
const once = ['test/gateway/idempotency.test.ts']

export const gateway = [
  {
    name: 'redirect-carries-credentials',
    file: `${SRC}/fetch/redirect.ts`,
    find: '/^(?:authorization|cookie|proxy-authorization)$/i',
    replace: '/^nothing$/',
    why: 'a target that redirects is given the credentials of another',
    tests: fetches,
  },
  {
    name: 'redirect-unchecked',
    file: `${SRC}/fetch/run.ts`,
    find: 'const target = await parts.guard.check(asks, lookUp)',
    replace:
      'const target =\n      last === null ? await parts.guard.check(asks, lookUp) : { ...asks, addresses: [asks.host] }',
    why: 'a target that redirects has private addresses fetched',
    tests: fetches,
  },
  {
    name: 'redirect-changes-agent',
    file: `${SRC}/fetch/run.ts`,
    find: 'const again = last === null ? wish',
    replace: 'const again = last !== null ? wish',
    why: 'the hops of one request come from many addresses',
    tests: fetches,
  },
  {
    name: 'post-repeated',
    file: `${SRC}/fetch/request.ts`,
    find: "'PUT', 'DELETE']",
    replace: "'PUT', 'DELETE', 'POST']",
    why: 'an order is sent to two targets',
    tests: fetches,
  },
  {
    name: 'time-for-each-attempt',
    file: `${SRC}/fetch/run.ts`,
    find: 'timeoutMs: leftMs(),',
    replace: 'timeoutMs: asked.timeoutMs,',
    why: 'a caller who gave 30 s waits for minutes',
    tests: fetches,
  },
  {
    name: 'agent-url-shown',
    file: `${SRC}/routes/network.ts`,
    find: 'function withoutUrl({ url: _url, ...agent }: Agent): Shown {',
    replace: 'function withoutUrl(agent: Agent): Shown {',
    why: 'whoever may list agents is told their credentials',
    tests: fetches,
  },
  {
    name: 'blocks-unreported',
    file: `${SRC}/fetch/run.ts`,
    find: 'const options = { attempts: asked.attempts, outcomeOf }',
    replace:
      "const options = { attempts: asked.attempts, outcomeOf: () => ({ kind: 'ok' as const }) }",
    why: 'the next request goes to the agent that was turned away',
    tests: seeds,
  },
  {
    name: 'limit-is-no-block',
    file: `${SRC}/fetch/answer.ts`,
    find: "['rate_limited', 'challenged', 'blocked']",
    replace: "['challenged', 'blocked']",
    why: 'a caller is not told that a target limits the agent',
    tests: seeds,
  },
  {
    name: 'retry-early',
    file: `${SRC}/http/rate-headers.ts`,
    find: 'Math.ceil(ms / 1000)',
    replace: 'Math.floor(ms / 1000)',
    why: 'who waits as he was told is denied again',
    tests: seeds,
  },
  {
    name: 'reset-in-milliseconds',
    file: `${SRC}/http/rate-headers.ts`,
    find: 'Math.ceil(resetAtMs / 1000)',
    replace: 'Math.ceil(resetAtMs)',
    why: 'clients wait for thousands of years',
    tests: seeds,
  },
  {
    name: 'each-address-of-a-64',
    file: `${SRC}/http/address.ts`,
    find: 'slice(0, 4)',
    replace: 'slice(0, 8)',
    why: 'who has one IPv6 address has 2^64 times the limit',
    tests: ['test/gateway/limits.test.ts'],
  },
  {
    name: 'query-logged',
    file: `${SRC}/gateway.ts`,
    find: "path: request.url.split('?', 1)[0]",
    replace: 'path: request.url',
    why: "a target's secrets are in the log",
    tests: ['test/gateway/logs.test.ts'],
  },
  {
    name: 'repeat-counted',
    file: `${SRC}/http/admission.ts`,
    find: 'if (decision?.allowed === true) await this.#scheduler.refund(decision)',
    replace: '',
    why: 'who repeats a request for safety pays for it',
    tests: once,
  },
  {
    name: 'operation-ends-with-caller',
    file: `${SRC}/http/once.ts`,
    find: 'await run(NEVER_HANGS_UP)',
    replace: 'await run(reply)',
    why: 'who loses his connection and asks again has the order sent twice',
    tests: once,
  },
  {
    name: 'lost-answer-forgotten',
    file: `${SRC}/fetch/run.ts`,
    find: 'return !BEFORE_IT_WAS_SENT.includes(failure.reason)',
    replace: 'return false',
    why: 'an order whose answer was lost is sent twice',
    tests: once,
  },
  {
    name: 'closing-waits-for-half-requests',
    file: `${SRC}/gateway.ts`,
    find: 'app.server.closeAllConnections()',
    replace: 'undefined',
    why: 'a caller who sends half a request keeps a gateway from ending for a minute',
    tests: fetches,
  },
]
