import { OstlerError, shown } from '@ostler/core'
import { Batch } from './batch.ts'
import { Connection } from './connection.ts'
import { isRefusal, isSuspect, unavailable } from './failure.ts'
import { identityOf, type FileOptions } from './open.ts'
import { Patience } from './patience.ts'
import { joinPeers, leavePeers, yieldPeers, type Peer } from './peers.ts'

export interface TransactionOptions extends FileOptions {
  /** How long a call may wait for other processes. */
  readonly busyMs: number
  /** How long a batch is open at most; 0 commits each decision by itself. */
  readonly flushMs: number
  /** Decide on this host's clock, and not on the caller's. */
  readonly ownTime: boolean
}

/** Opening may wait for longer than a call: nothing is served yet. */
const OPENING_MS = 2_000
/** A batch ends when so many rows wait to be written: that takes about a millisecond. */
const MOST_WAITING = 256
/** How often the path is compared with what is open. */
const LOOK_MS = 100
const ELSEWHERE = 'was replaced or deleted while it was open'

/**
 * Carries decisions out as transactions on one file: one each, or many of some milliseconds as a batch. `T` is what decides: the
 * tables of an open connection, made anew when the file is opened anew.
 */
export class Transactions<T> implements Peer {
  readonly #options: TransactionOptions
  readonly #make: (connection: Connection) => T
  readonly #patience: Patience
  readonly #batch: Batch
  #connection: Connection
  #tables: T
  /** All of this process that have the file open. */
  #peers: ReadonlySet<Peer> = new Set()
  #closed = false
  /** Why no decision can be had until `ping` opens the file anew: the connection is closed. */
  #broken: OstlerError | null = null
  /** The disk or the file failed: `ping` is to open it anew. */
  #suspect = false
  /** A batch that was lost where nobody could be told: the next call is. */
  #loss: OstlerError | null = null
  #lookAtMs = 0

  /** @throws OstlerError STORE_UNAVAILABLE */
  constructor(options: TransactionOptions, make: (connection: Connection) => T) {
    this.#options = options
    this.#make = make
    this.#patience = new Patience(options.busyMs)
    this.#batch = new Batch(options.flushMs, () => this.yield())
    this.#connection = this.#open(new Patience(Math.max(OPENING_MS, options.busyMs)))
    this.#tables = make(this.#connection)
  }

  /** A decision that may write: it sees all that was decided before, by any process; what it wrote is kept, or it throws. */
  write<R>(askedMs: number, decide: (tables: T, nowMs: number) => R): R {
    return this.#decide(askedMs, true, decide)
  }

  /** The same for a decision that changes nothing before it is sure of all: within a batch, there is nothing of it to undo. */
  change<R>(askedMs: number, decide: (tables: T, nowMs: number) => R): R {
    return this.#decide(askedMs, false, decide)
  }

  /** A look at one state; nothing is written. */
  read<R>(askedMs: number, look: (tables: T, nowMs: number) => R): R {
    const startMs = this.#ready()
    const connection = this.#connection
    const inBatch = this.#batch.isOpen
    try {
      if (!inBatch) connection.look(this.#patience)
      const answer = look(this.#tables, this.#nowMs(askedMs, inBatch ? startMs : Date.now()))
      if (!inBatch) connection.commit()
      return answer
    } catch (error) {
      if (!inBatch) connection.rollback()
      throw this.#failed(error)
    }
  }

  /**
   * What can be answered without a look at the tables, where no other connection has changed them: `recall` answers undefined
   * where it cannot. About a microsecond.
   */
  recall<R>(askedMs: number, recall: (tables: T, nowMs: number) => R | undefined): R | undefined {
    const startMs = this.#ready()
    try {
      // While a batch holds the lock, nobody else can commit.
      if (!this.#batch.isOpen) this.#connection.refresh()
    } catch (error) {
      throw this.#failed(error)
    }
    return recall(this.#tables, this.#nowMs(askedMs, startMs))
  }

  /** Writes, and so shows that all is well; opens the file anew where it was replaced or has failed. */
  ping(): void {
    this.#throwIfClosed()
    if (this.#broken === null && this.#isElsewhere()) this.#break(ELSEWHERE)
    if (this.#broken === null) this.flush()
    if (this.#broken !== null || this.#suspect) this.#reopen()
    this.#ready()
    try {
      this.#connection.begin(this.#patience)
      this.#connection.head.save()
      this.#connection.commit()
    } catch (error) {
      throw this.#undone(error, false, false)
    }
  }

  /** Commits the batch that is open, if one is. @throws OstlerError STORE_UNAVAILABLE where it is lost */
  flush(): void {
    if (!this.#batch.isOpen) return
    try {
      this.#connection.commit()
      this.#batch.end()
    } catch (error) {
      throw this.#lost(error)
    }
  }

  yield(): void {
    try {
      this.flush()
    } catch (error) {
      this.#loss = error as OstlerError
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      this.flush()
      if (this.#loss !== null) throw this.#loss
    } finally {
      this.#leave()
    }
  }

  #decide<R>(askedMs: number, undoable: boolean, decide: (tables: T, nowMs: number) => R): R {
    const startMs = this.#ready()
    const inBatch = this.#batch.isOpen && !this.#batch.isDue(startMs)
    // Where this call has to wait for the file, the clock is read once it is held.
    const readMs = inBatch ? startMs : this.#hold()
    const batched = this.#batch.isOpen
    const entered = batched && undoable
    const connection = this.#connection
    let answer: R
    try {
      if (entered) connection.enter()
      const nowMs = this.#nowMs(askedMs, readMs)
      answer = decide(this.#tables, nowMs)
      const wrote = connection.decided(nowMs)
      if (entered) connection.leave()
      else if (!batched) connection.commit()
      if (!batched || !wrote) return answer
      this.#batch.decided()
    } catch (error) {
      throw this.#undone(error, batched, entered)
    }
    if (connection.waiting >= MOST_WAITING) this.flush()
    return answer
  }

  #open(patience: Patience): Connection {
    try {
      const connection = Connection.open(this.#options, patience)
      this.#peers = joinPeers(connection.identity, this)
      return connection
    } catch (error) {
      throw unavailable(error, this.#options.path, patience.budgetMs)
    }
  }

  #leave(): void {
    leavePeers(this.#connection.identity, this)
    this.#connection.close()
  }

  /** The old connection goes first: one that is open on a file which is gone can spoil the log of the next. */
  #reopen(): void {
    if (this.#broken === null) this.#break('has failed')
    this.#patience.renew()
    const { head, versions } = this.#connection
    const connection = this.#open(this.#patience)
    if (connection.head.base === head.base) connection.versions.follow(versions)
    this.#connection = connection
    this.#tables = this.#make(connection)
    this.#broken = null
    this.#suspect = false
  }

  #break(what: string): void {
    const { path } = this.#options
    const error = new OstlerError('STORE_UNAVAILABLE', `${path} ${what}: ping opens it anew`)
    // A batch goes with the file; that is told even where the file is opened anew before anyone asks.
    if (this.#batch.isOpen) this.#loss = this.#broken = this.#lost(error)
    else this.#broken = error
    this.#leave()
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new OstlerError('CLOSED', 'the sqlite store is closed')
  }

  /** What comes before every call. Gives the instant. */
  #ready(): number {
    this.#throwIfClosed()
    this.#patience.renew()
    const nowMs = Date.now()
    if ((nowMs >= this.#lookAtMs || nowMs < this.#lookAtMs - LOOK_MS) && this.#broken === null) {
      this.#lookAtMs = nowMs + LOOK_MS
      if (this.#isElsewhere()) this.#break(ELSEWHERE)
    }
    const fault = this.#broken ?? this.#loss
    if (fault !== null) {
      // A loss is told once.
      if (fault === this.#loss) this.#loss = null
      throw new OstlerError('STORE_UNAVAILABLE', fault.message, { cause: fault })
    }
    if (this.#peers.size > 1) yieldPeers(this.#peers, this)
    return nowMs
  }

  #isElsewhere(): boolean {
    return identityOf(this.#options.path) !== this.#connection.identity
  }

  /** Takes the lock, and opens a batch where there may be one. Gives the instant at which the file was held. */
  #hold(): number {
    const batch = this.#batch
    if (batch.isOpen) {
      this.flush()
      // Where decisions leave no gap, others would never find the file free.
      if (this.#connection.isShared) this.#patience.giveWay()
    }
    try {
      this.#connection.begin(this.#patience)
    } catch (error) {
      throw this.#undone(error, false, false)
    }
    const nowMs = Date.now()
    if (batch.mayOpen) batch.open(nowMs, this.#connection.isShared)
    return nowMs
  }

  #nowMs(askedMs: number, heldMs: number): number {
    const readMs = this.#options.ownTime ? heldMs : askedMs
    if (!Number.isSafeInteger(readMs)) {
      throw new OstlerError('INVALID_REQUEST', `nowMs must be an integer, got ${shown(readMs)}`)
    }
    const { newestMs } = this.#connection.head
    return readMs > newestMs ? readMs : newestMs
  }

  /** Ends a decision that failed. A batch goes on without it, unless SQLite has ended the batch as a whole. */
  #undone(error: unknown, batched: boolean, entered: boolean): unknown {
    if (batched) {
      const goesOn = entered ? this.#connection.undo() : this.#connection.outlives(isRefusal(error))
      return goesOn ? this.#failed(error) : this.#lost(error)
    }
    this.#connection.rollback()
    return this.#failed(error)
  }

  /** The batch is gone. What its decisions were told of versions holds no longer. */
  #lost(error: unknown): OstlerError {
    const count = this.#batch.decisions
    const ageMs = this.#batch.ageMs(Date.now())
    this.#connection.rollback()
    this.#batch.end()
    const reason = this.#failed(error)
    if (count > 0) this.#connection.versions.disown()
    else if (reason instanceof OstlerError) return reason
    const why = reason instanceof Error ? reason.message : String(reason)
    const message = `${count} decisions of the last ${ageMs} ms are lost: ${why}`
    return new OstlerError('STORE_UNAVAILABLE', message, { cause: error })
  }

  #failed(error: unknown): unknown {
    if (isSuspect(error)) this.#suspect = true
    return unavailable(error, this.#options.path, this.#options.busyMs)
  }
}
