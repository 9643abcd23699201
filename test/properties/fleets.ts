import { seededRandom, type Agent, type Random } from '@ostler/core'

const CENTRES: readonly (readonly [
  country: string,
  region: string | null,
  lat: number,
  lon: number,
])[] = [
  ['DE', 'DE-BE', 52.52, 13.41],
  ['DE', 'DE-HH', 53.55, 9.99],
  ['AT', null, 48.21, 16.37],
  ['FR', null, 48.86, 2.35],
  ['GB', null, 51.51, -0.13],
  ['US', 'US-NY', 40.71, -74.01],
  ['US', 'US-CA', 34.05, -118.24],
  ['JP', null, 35.68, 139.69],
  ['NZ', null, -36.85, 174.76],
  ['FJ', null, -18.14, 178.44],
  ['FJ', null, -16.8, -179.97],
  ['NO', null, 78.22, 15.65],
]

/** So many agents around twelve centres, half a degree wide each; one in eight has no place, a shared exit, or tags. */
export function randomFleet(size: number, seed: number): readonly Agent[] {
  const random = seededRandom(seed)
  return Array.from({ length: size }, (_, i) => randomAgent(`a${i}`, random, size))
}

function randomAgent(id: string, random: Random, size: number): Agent {
  const [country, region, lat, lon] = CENTRES[Math.floor(random() * CENTRES.length)]
  const oneIn = (n: number) => random() < 1 / n
  const place = {
    country,
    ...(region !== null && { region }),
    lat: lat + (random() - 0.5) / 2,
    lon: Math.max(-180, Math.min(180, lon + (random() - 0.5) / 2)),
  }
  return {
    id,
    ...(oneIn(16) ? (oneIn(2) ? { country } : {}) : place),
    ...(oneIn(8) && { exitIp: `exit${Math.floor(random() * size)}` }),
    ...(oneIn(8) && { tags: ['fast'] }),
    weight: oneIn(8) ? 2 : 1,
    maxConcurrency: oneIn(4) ? 1 : 100,
  }
}

/** So many agents that differ in nothing but their id. */
export function equalFleet(size: number): readonly Agent[] {
  return Array.from({ length: size }, (_, i) => ({ id: `a${i}` }))
}
