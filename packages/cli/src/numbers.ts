import { InvalidArgumentError } from 'commander'

/** Reads an option that is a whole number within bounds; for commander's argument parsers. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : NaN
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`must be an integer from ${least} to ${most}, got "${text}".`)
  }
}

/** Seeds are unsigned 32-bit integers. */
export const SEED: (text: string) => number = wholeNumber(0, 2 ** 32 - 1)
