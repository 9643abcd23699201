import { distanceKm, memoryStore, Scheduler } from '@ostler/core'
import { test } from 'vitest'
test('x', () => {
  console.log(distanceKm(0,25,1,25), distanceKm(0,25,-1,25), distanceKm(0,25,0,24), distanceKm(0,25,0,26))
  const s = new Scheduler({ store: memoryStore() })
  s.agents.upsert([{ id: 'n', country: 'CD', lat: 1, lon: 25 }, { id: 's', country: 'CD', lat: -1, lon: 25 }, { id: 'w', country: 'CD', lat: 0, lon: 24 }])
  const e = s.explain({ domain: 'x.example', geo: '0,25', seed: 1 })
  console.log(e.kind, e.localities.map((l) => l.name + l.distanceKm), e.kind === 'picked' && e.agent.id)
})
