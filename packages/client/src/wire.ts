// Written by scripts/wire.mjs from the gateway's openapi.json.

/** What must be there in an answer, and of which type: fields that may be null or absent are not in it. */
export type Shape = 'string' | 'number' | 'boolean' | 'array' | { readonly [field: string]: Shape }

/** POST /fetch: fetch a target, by any method. What is sent. */
export interface FetchBody {
  /** The target: http or https. */
  readonly url?: string | undefined
  /** Any method. Default GET. */
  readonly method?: string | undefined
  /** What the target is sent. */
  readonly headers?:
    | {
        readonly [field: string]: string | readonly string[]
      }
    | undefined
  /** What the target is sent, as `encoding` says. */
  readonly body?: string | undefined
  /** Default text. */
  readonly encoding?: ('text' | 'base64') | undefined
  /** Seconds for all of it. Default 30. */
  readonly timeout?: number | undefined
  /** As X-Geo. */
  readonly geo?: string | undefined
  /** As X-Session. */
  readonly session?: string | undefined
  /** Agents tried at most, where the method is idempotent. 1 to 10. Default 1. */
  readonly attempts?: number | undefined
  /** Default manual. */
  readonly redirect?: ('manual' | 'follow') | undefined
}

/** PUT /network/agents/{id}: add an agent, or replace the one of this id. What is sent. */
export interface AgentBody {
  readonly country?: string | undefined
  readonly region?: string | undefined
  readonly city?: string | undefined
  readonly lat?: number | undefined
  readonly lon?: number | undefined
  readonly exitIp?: string | undefined
  readonly asn?: number | undefined
  readonly tags?: readonly string[] | undefined
  readonly weight?: number | undefined
  readonly maxConcurrency?: number | undefined
  /** http, https or socks5; or direct. Never shown. */
  readonly url?: string | undefined
}

/** POST /amqp/consume: stream the messages of a queue, as server-sent events: ready, message, error, end. What is sent. */
export interface ConsumeBody {
  /** The broker: amqp or amqps, with credentials and a virtual host. */
  readonly url: string
  /** As X-Geo. */
  readonly geo?: string | undefined
  /** As X-Session. */
  readonly session?: string | undefined
  /** Agents tried at most, before anything is said to the broker. 1 to 10. Default 1. */
  readonly attempts?: number | undefined
  /** Whose messages are streamed; without a name the declared queue gets one. */
  readonly queue?: string | undefined
  /** Declares the queue: for this stream alone, and gone with it. */
  readonly declare?:
    | {
        readonly bindings?:
          | readonly {
              /** The exchange to bind the queue to. */
              readonly exchange: string
              /** Default: the empty one. */
              readonly routingKey?: string | undefined
            }[]
          | undefined
      }
    | undefined
  /** auto: acknowledged once handed to the connection to the reader; manual: by POST /amqp/streams/{id}/ack. Default auto. */
  readonly ack?: ('auto' | 'manual') | undefined
  /** Messages that are not acknowledged yet, at most. 1 to 1000. Default 20. */
  readonly prefetch?: number | undefined
  /** Whether this is to be the only consumer. Default false. */
  readonly exclusive?: boolean | undefined
  /** Seconds until the stream is ready; there is no limit afterwards. Default 30. */
  readonly timeout?: number | undefined
}

/** POST /amqp/streams/{id}/ack: say what became of deliveries of a stream that is acknowledged by hand. What is sent. */
export interface SettleBody {
  /** Of `message` events. */
  readonly deliveries: readonly string[]
  /** ack: done; nack: dropped, or dead-lettered where the queue says so; requeue: back into the queue. Default ack. */
  readonly action?: ('ack' | 'nack' | 'requeue') | undefined
}

/** POST /amqp/publish: publish a message, and wait for what becomes of it. What is sent. */
export interface PublishBody {
  /** The broker: amqp or amqps, with credentials and a virtual host. */
  readonly url: string
  /** As X-Geo. */
  readonly geo?: string | undefined
  /** As X-Session. */
  readonly session?: string | undefined
  /** Agents tried at most, before anything is said to the broker. 1 to 10. Default 1. */
  readonly attempts?: number | undefined
  /** Default: the default exchange, which routes to the queue. */
  readonly exchange?: string | undefined
  /** Of the default exchange: the queue. */
  readonly routingKey: string
  readonly properties?:
    | {
        /** Such as application/json. */
        readonly contentType?: string | undefined
        /** Such as gzip. */
        readonly contentEncoding?: string | undefined
        readonly headers?:
          | {
              readonly [field: string]: unknown
            }
          | undefined
        /** 2 is kept on disk. */
        readonly deliveryMode?: (1 | 2) | undefined
        /** 0 to 255. */
        readonly priority?: number | undefined
        readonly correlationId?: string | undefined
        readonly replyTo?: string | undefined
        /** Ms, as a string. */
        readonly expiration?: string | undefined
        readonly messageId?: string | undefined
        /** ISO 8601; whole seconds. */
        readonly timestamp?: string | undefined
        readonly type?: string | undefined
        readonly userId?: string | undefined
        readonly appId?: string | undefined
      }
    | undefined
  /** The message, as `encoding` says. */
  readonly body: string
  /** Default text. */
  readonly encoding?: ('text' | 'base64') | undefined
  /** Whether a message that no queue gets is returned. Default false. */
  readonly mandatory?: boolean | undefined
  /** Seconds for all of it. Default 30. */
  readonly timeout?: number | undefined
}

/** POST /fetch: fetch a target, by any method. What is answered. */
export interface FetchAnswer {
  readonly meta: {
    /** The target's status. */
    readonly status: number
    /** Whether the agent was turned away: the next request goes to another. */
    readonly blocked: boolean
    /** What the answer came to: ok, rate_limited, challenged, blocked ... */
    readonly outcome: string
    /** Who protects the target, where it shows. */
    readonly vendor?: string
    /** Why it counts as blocked. */
    readonly evidence?: string
    readonly agent: {
      readonly id: string
      readonly country: string | null
    }
    /** Agents that were asked. */
    readonly attempts: number
    /** Where redirects ended. */
    readonly url?: string
    readonly distanceKm: number | null
    /** From the request to the last byte. */
    readonly timingMs: number
    readonly requestId: string
    /** The store was out of reach: decided in this process. */
    readonly degraded?: boolean
    /** The body was longer than is kept. */
    readonly truncated?: boolean
  }
  readonly headers: {
    readonly [field: string]: string | readonly string[]
  }
  readonly body: string
  readonly encoding: 'text' | 'base64'
}
export const FETCH_ANSWER: Shape = {
  meta: {
    status: 'number',
    blocked: 'boolean',
    outcome: 'string',
    agent: { id: 'string' },
    attempts: 'number',
    timingMs: 'number',
    requestId: 'string',
  },
  headers: {},
  body: 'string',
  encoding: 'string',
}

/** GET /usage: what this key has used. What is answered. */
export interface UsageAnswer {
  readonly key: {
    readonly id: string
    readonly tier: string
  }
  /** What follows is counted in this process since then. */
  readonly sinceMs: number
  readonly total: number
  readonly ok: number
  readonly blocked: number
  readonly failed: number
  /** ok of all, 0 to 1. */
  readonly successShare: number | null
  readonly byProtocol: {
    readonly http: number
    readonly ws: number
    readonly amqp: number
  }
  readonly topDomains: readonly {
    readonly name: string
    readonly count: number
  }[]
  /** In every process: each policy of the tier, and permits. */
  readonly limits: readonly {
    readonly policy: string
    readonly limit: number
    readonly used: number
    readonly remaining: number
    readonly resetAtMs: number
  }[]
}
export const USAGE_ANSWER: Shape = {
  key: { id: 'string', tier: 'string' },
  sinceMs: 'number',
  total: 'number',
  ok: 'number',
  blocked: 'number',
  failed: 'number',
  byProtocol: { http: 'number', ws: 'number', amqp: 'number' },
  topDomains: 'array',
  limits: 'array',
}

/** GET /network/health/{domain}: how a domain's agents stand; as text/event-stream: each time that changes. What is answered. */
export interface HealthAnswer {
  readonly domain: string
  readonly counts: {
    readonly available: number
    readonly limited: number
    readonly unavailable: number
  }
  readonly incident?: {
    readonly openedAtMs: number
  }
  readonly nextRecoveryAtMs: number | null
  readonly agents: readonly {
    readonly id: string
    readonly health: string
    readonly reason: string
    readonly untilMs: number
  }[]
  /** Where the next page begins. */
  readonly next: number | null
}
export const HEALTH_ANSWER: Shape = {
  domain: 'string',
  counts: { available: 'number', limited: 'number', unavailable: 'number' },
  agents: 'array',
}

/** GET /network/agents: the agents of the fleet. What is answered. */
export interface AgentsAnswer {
  readonly total: number
  readonly agents: readonly {
    readonly id: string
    readonly [field: string]: unknown
  }[]
  readonly next: number | null
}
export const AGENTS_ANSWER: Shape = { total: 'number', agents: 'array' }

/** GET /debug/pick: which agent would be picked, and why. What is answered. */
export interface PickAnswer {
  readonly kind: string
  readonly [field: string]: unknown
}
export const PICK_ANSWER: Shape = { kind: 'string' }

/** POST /amqp/streams/{id}/ack: say what became of deliveries of a stream that is acknowledged by hand. What is answered. */
export interface SettleAnswer {
  /** Told to the broker, which does not confirm it. */
  readonly settled: readonly string[]
  /** Never delivered by this stream, or settled before. */
  readonly unknown: readonly string[]
}
export const SETTLE_ANSWER: Shape = { settled: 'array', unknown: 'array' }

/** POST /amqp/publish: publish a message, and wait for what becomes of it. What is answered. */
export interface PublishAnswer {
  /** confirmed: the broker has taken it; returned: no queue gets it; rejected: the broker could not keep it. */
  readonly outcome: 'confirmed' | 'returned' | 'rejected'
  /** Why it was returned. */
  readonly reply?: {
    readonly code: number
    readonly text: string
  }
  readonly meta: {
    readonly agent: {
      readonly id: string
      readonly country: string | null
    }
    /** Agents that were asked. */
    readonly attempts: number
    readonly distanceKm: number | null
    readonly timingMs: number
    readonly requestId: string
  }
}
export const PUBLISH_ANSWER: Shape = {
  outcome: 'string',
  meta: { agent: { id: 'string' }, attempts: 'number', timingMs: 'number', requestId: 'string' },
}
