/** The one built-in that core uses, as much of it as it uses: core has no types of Node's. */
declare module 'node:diagnostics_channel' {
  export interface Channel {
    readonly hasSubscribers: boolean
    publish(message: unknown): void
  }
  export function channel(name: string): Channel
}
