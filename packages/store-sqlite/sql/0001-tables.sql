-- Version 1 of the file: everything that the processes of one host share.
--
-- All instants are milliseconds since the epoch, all tables STRICT, so that a value of another type is refused and not kept.
-- Rows hold no key, opId, permit id or idempotency id as it was given: `key` and `id` blobs are 16 bytes of a SHA-256 over
-- `head.salt` and the text. Decisions are not made here: each transaction reads rows, lets the pure functions of @ostler/core
-- decide, and writes rows. What has run out is deleted in passing, found by the index that is named for it.

-- The one row that every table leans on.
CREATE TABLE head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  -- Hashes of two files cannot be compared, nor can a key choose which lane it falls into.
  salt BLOB NOT NULL,
  -- Versions of this file begin here, at random: those of another file are told apart by it.
  base INTEGER NOT NULL,
  -- The newest instant decided at: time never goes back for any process.
  newest_ms INTEGER NOT NULL,
  -- The newest change of any domain, and of the fleet.
  version INTEGER NOT NULL,
  fleet_version INTEGER NOT NULL,
  -- Agents, breakers and exits that went up to this version may be forgotten: who has seen less starts anew.
  fleet_floor INTEGER NOT NULL,
  -- How many rows there are of each kind, so that no bound needs a count.
  operations INTEGER NOT NULL,
  permits INTEGER NOT NULL,
  idempotency INTEGER NOT NULL,
  domains INTEGER NOT NULL,
  pairs INTEGER NOT NULL,
  agents INTEGER NOT NULL,
  breakers INTEGER NOT NULL,
  exits INTEGER NOT NULL,
  gone_agents INTEGER NOT NULL,
  gone_breakers INTEGER NOT NULL,
  gone_exits INTEGER NOT NULL
) STRICT;

-- ---- limits ---------------------------------------------------------------------------------------------------------

-- How many keys each policy has a row of their own for; `policy` is its kind and name, as in `exact:minute`.
CREATE TABLE policies (
  policy TEXT PRIMARY KEY,
  keys INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a key has used of a policy. A `key` of 2 bytes is a lane: the keys of one hash that found no room, counted together.
CREATE TABLE windows (
  id INTEGER PRIMARY KEY,
  policy TEXT NOT NULL,
  key BLOB NOT NULL,
  -- From then on nothing of it counts any more.
  idle_at_ms INTEGER NOT NULL,
  -- Not after `idle_at_ms` as it was last looked at: moved by who sweeps, so that a hit need not touch the index.
  look_at_ms INTEGER NOT NULL,
  -- The log of hits, or the arrival time of a smooth policy, packed (src/limits/state-codec.ts).
  state BLOB NOT NULL,
  UNIQUE (policy, key)
) STRICT;
CREATE INDEX windows_to_look_at ON windows (look_at_ms);

-- Admitted operations by their opId, with the verdict that a repeat is given.
CREATE TABLE operations (
  id BLOB PRIMARY KEY,
  until_ms INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  verdict TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operations_to_end ON operations (until_ms);

CREATE TABLE permits (
  key BLOB NOT NULL,
  id BLOB NOT NULL,
  deadline_ms INTEGER NOT NULL,
  PRIMARY KEY (key, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX permits_to_end ON permits (deadline_ms);

-- ---- health ---------------------------------------------------------------------------------------------------------

CREATE TABLE domains (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  -- Of changes up to this version not all are known any more, or the domain was not.
  floor INTEGER NOT NULL,
  -- Its newest change; 0 before the first.
  version INTEGER NOT NULL,
  -- Leases given while something is counted towards an incident.
  dispatched INTEGER NOT NULL,
  pairs INTEGER NOT NULL,
  -- What is counted towards an incident, or the open incident, as JSON.
  watch TEXT
) STRICT;

-- The record of an (exit, domain) pair, field by field.
CREATE TABLE pairs (
  domain INTEGER NOT NULL,
  exit TEXT NOT NULL,
  version INTEGER NOT NULL,
  forget_at_ms INTEGER NOT NULL,
  health TEXT NOT NULL CHECK (health IN ('available', 'limited', 'unavailable')),
  rung INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  strikes INTEGER NOT NULL,
  strike_at_ms INTEGER NOT NULL,
  ok_streak INTEGER NOT NULL,
  limited_streak INTEGER NOT NULL,
  reason TEXT NOT NULL CHECK (reason IN ('rate_limited', 'challenged', 'blocked', 'manual')),
  probe_lease TEXT,
  probe_deadline_ms INTEGER,
  manual_until_ms INTEGER,
  PRIMARY KEY (domain, exit)
) STRICT, WITHOUT ROWID;
CREATE INDEX pairs_by_change ON pairs (domain, version);
CREATE INDEX pairs_to_forget ON pairs (forget_at_ms);

-- Dispatches on their way, as a log that each process follows: a row for a lease that is taken, and one for its end. One past its
-- deadline has ended without. What is in front and over is deleted, and what is in front and not over is added anew.
CREATE TABLE leases (
  n INTEGER PRIMARY KEY,
  -- The lease of this number has come back; all else is null then.
  ends INTEGER,
  id TEXT,
  agent TEXT,
  domain INTEGER,
  deadline_ms INTEGER,
  epoch INTEGER,
  -- Which candidate it was given for, and whether as a probe: what a repeat is answered.
  choice INTEGER,
  probe INTEGER
) STRICT;

-- ---- the fleet ------------------------------------------------------------------------------------------------------

-- Agents, their breakers, and exits excluded everywhere, in order of change. What went stays for a while as `gone`, for those
-- who have yet to hear of it.
CREATE TABLE fleet (
  version INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('agent', 'breaker', 'exit')),
  name TEXT NOT NULL,
  gone INTEGER NOT NULL,
  -- An agent, as JSON.
  agent TEXT,
  -- A breaker's agent errors in a row.
  failures INTEGER,
  -- A breaker's downUntilMs, or the end of an exit's exclusion.
  until_ms INTEGER,
  UNIQUE (kind, name)
) STRICT;
CREATE INDEX fleet_gone ON fleet (kind) WHERE gone = 1;
CREATE INDEX fleet_at_rest ON fleet (kind) WHERE gone = 0 AND kind <> 'agent';

-- ---- idempotency ----------------------------------------------------------------------------------------------------

-- Begun operations; a null `value` is one that runs, until `until_ms`.
CREATE TABLE idempotency (
  id BLOB NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL,
  value TEXT,
  until_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_to_end ON idempotency (until_ms);
