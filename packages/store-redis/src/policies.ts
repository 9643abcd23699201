import type { ResolvedPolicy } from '@ostler/core'

/** A list of policies as scripts read it: see `lua/lib/policies.lua`. */
export interface Compiled {
  /** What follows a key's tag in the name of each policy's record. */
  readonly suffixes: readonly string[]
  /** Four for each policy. */
  readonly args: readonly string[]
  /** Says all of it in one string: lists that say the same decide the same. */
  readonly text: string
  readonly names: readonly string[]
  /** Of each the limit that a verdict tells. */
  readonly limits: readonly number[]
  /** Whether there is one, and it is exact. */
  readonly isOneExact: boolean
}

const compiled = new WeakMap<readonly ResolvedPolicy[], Compiled>()

/** Compiles a list of policies; once for each array, for tiers keep theirs. O(policies) */
export function compile(policies: readonly ResolvedPolicy[]): Compiled {
  const known = compiled.get(policies)
  if (known !== undefined) return known
  const suffixes: string[] = []
  const args: string[] = []
  for (const policy of policies) {
    const kind = policy.kind === 'exact' ? 'w' : 't'
    const third = policy.kind === 'exact' ? policy.quantumMs : policy.burst
    suffixes.push(`${kind}:${policy.name}`)
    args.push(kind, String(policy.limit), String(policy.windowMs), String(third))
  }
  const names = policies.map(({ name }) => name)
  const limits = policies.map((policy) => (policy.kind === 'exact' ? policy.limit : policy.burst))
  const isOneExact = policies.length === 1 && policies[0].kind === 'exact'
  const made = { suffixes, args, text: [...names, ...args].join(' '), names, limits, isOneExact }
  compiled.set(policies, made)
  return made
}
