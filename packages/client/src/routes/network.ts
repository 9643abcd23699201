import { ENVELOPE, MOST_SHOWN, type Answer, type Envelope } from '../call/answer.ts'
import { eventsOf } from '../call/events.ts'
import { APIPromise } from '../call/promise.ts'
import type { Ask, Transport } from '../call/transport.ts'
import { apiError, statusOf, type APIError } from '../errors/api-error.ts'
import type { CallOptions } from '../options.ts'
import {
  AGENTS_ANSWER,
  HEALTH_ANSWER,
  type AgentBody,
  type AgentsAnswer,
  type HealthAnswer,
  type Shape,
} from '../wire.ts'

/** Where a list begins, and how much of it is answered at once. */
export interface PageOptions {
  /** The first to list. Default 0. */
  readonly offset?: number | undefined
  /** A page's length: 1 to 1,000. Default 100. */
  readonly limit?: number | undefined
}

/** An agent, as the gateway shows it. */
export type Agent = AgentsAnswer['agents'][number] & Omit<AgentBody, 'url'>

/** One page of the agents. */
export interface AgentPage extends Omit<AgentsAnswer, 'agents'> {
  readonly agents: readonly Agent[]
}

const EVENTS: Readonly<Record<string, Shape>> = { health: HEALTH_ANSWER, error: ENVELOPE }

const HERE: Pick<Ask, 'method' | 'isRepeatable'> = { method: 'GET', isRepeatable: true }

/** `client.network`: the fleet, and how it stands with a domain. */
export class Network {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** How a domain's agents stand, and when the next one is back. Lists those that are not available. */
  health(domain: string, options: PageOptions & CallOptions = {}): APIPromise<HealthAnswer> {
    const answer = this.#transport.ask(healthAsk(domain, options), options)
    return new APIPromise<HealthAnswer>(answer, HEALTH_ANSWER)
  }

  /**
   * The same now, and again whenever it changes, until you leave the loop, the signal is aborted, or the gateway shuts down.
   * @throws OstlerError where it does not begin, breaks off, or is taken from you: ForbiddenError once the key is revoked
   */
  async *watch(
    domain: string,
    options: PageOptions & CallOptions = {},
  ): AsyncGenerator<HealthAnswer, void> {
    const { settings } = this.#transport
    const ask: Ask = { ...healthAsk(domain, options), accept: 'text/event-stream' }
    const response = await this.#transport.open(ask, options)
    for await (const { event, data } of eventsOf(response, EVENTS, settings, options.signal)) {
      if (event === 'health') yield data as HealthAnswer
      if (event === 'error') throw streamError(data as Envelope, response)
    }
  }

  /** The agents of the fleet: awaited, the first page; iterated, each agent of all pages, which are fetched as they are needed. */
  agents(options: PageOptions & CallOptions = {}): AgentList {
    const page = (offset: number | undefined): Promise<Answer> =>
      this.#transport.ask(
        { ...HERE, path: 'network/agents', query: { offset, limit: options.limit } },
        options,
      )
    return new AgentList(page(options.offset), page)
  }
}

/** Pages of agents, of which the first is on its way. */
export class AgentList extends APIPromise<AgentPage> implements AsyncIterable<Agent> {
  readonly #page: (offset: number) => Promise<Answer>

  constructor(first: Promise<Answer>, page: (offset: number) => Promise<Answer>) {
    super(first, AGENTS_ANSWER)
    this.#page = page
  }

  /** Page by page. */
  async *pages(): AsyncGenerator<AgentPage, void> {
    let page: AgentPage = await this
    yield page
    let at = -1
    while (page.next !== null) {
      const { next } = page
      // What does not go on would go on without end.
      if (!Number.isInteger(next) || next <= at) throw noNextPage(next)
      at = next
      page = (await this.#page(next)).read(AGENTS_ANSWER) as AgentPage
      yield page
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Agent, void> {
    for await (const page of this.pages()) yield* page.agents
  }
}

function healthAsk(domain: string, { offset, limit }: PageOptions): Ask {
  return { ...HERE, path: `network/health/${encodeURIComponent(domain)}`, query: { offset, limit } }
}

function streamError({ error, meta }: Envelope, { headers }: Response): APIError {
  const { code, message, details } = error
  const { requestId } = meta
  return apiError({ status: statusOf(code), code, message, details, requestId, headers })
}

function noNextPage(next: unknown): APIError {
  const message = `the next page must begin after this one, or be null, is ${String(next).slice(0, MOST_SHOWN)}`
  return apiError({ status: 200, code: 'INVALID_ANSWER', message })
}
