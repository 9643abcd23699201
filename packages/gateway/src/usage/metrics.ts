import { Counter, Gauge, Histogram, Registry } from 'prom-client'

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** What Prometheus is told. Labels are routes, statuses and outcomes: never a key, a target or an agent, of which there is no end. */
export class Metrics {
  readonly registry: Registry = new Registry()
  readonly requests: Counter<'route' | 'method' | 'status'>
  readonly seconds: Histogram<'route'>
  readonly outcomes: Counter<'protocol' | 'outcome'>
  readonly sockets: Gauge
  readonly streams: Gauge

  constructor(sizes: {
    readonly agents: () => number | Promise<number>
    readonly inFlight: () => number
    readonly degraded: () => boolean
  }) {
    const registers = [this.registry]
    this.requests = new Counter({
      name: 'ostler_http_requests_total',
      help: 'Requests answered.',
      labelNames: ['route', 'method', 'status'],
      registers,
    })
    this.seconds = new Histogram({
      name: 'ostler_http_request_seconds',
      help: 'From the first byte of a request to the last of its answer.',
      labelNames: ['route'],
      buckets: SECONDS,
      registers,
    })
    this.outcomes = new Counter({
      name: 'ostler_outcomes_total',
      help: 'What requests through agents came to.',
      labelNames: ['protocol', 'outcome'],
      registers,
    })
    this.sockets = new Gauge({ name: 'ostler_websockets', help: 'WebSockets open.', registers })
    this.streams = new Gauge({ name: 'ostler_amqp_streams', help: 'AMQP streams open.', registers })
    gauge('ostler_agents', 'Agents in the fleet.', sizes.agents)
    gauge('ostler_in_flight', 'Requests under way.', sizes.inFlight)
    gauge('ostler_store_degraded', '1 while the store is out of reach.', () =>
      sizes.degraded() ? 1 : 0,
    )

    function gauge(name: string, help: string, read: () => number | Promise<number>): void {
      const made: Gauge = new Gauge({
        name,
        help,
        registers,
        async collect() {
          made.set(await read())
        },
      })
    }
  }
}
