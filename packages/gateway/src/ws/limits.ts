/** How long a closing handshake may take, in ms, before the connection is ended. */
export const CLOSE_WITHIN_MS = 10_000

/** Parts that one message may come in. */
export const MOST_FRAGMENTS = 4_096
export const MOST_CHUNKS = 16_384
