import type { Later, Results } from './results.ts'

/**
 * Puts tables that were measured anew among results that are kept: in place of what they were before, with when that was.
 * @throws Error where the machine is another one, or its Node: their numbers say nothing of each other
 */
export function merged(kept: Results, anew: Results): Results {
  const [before, now] = [machineOf(kept), machineOf(anew)]
  if (before !== now) throw new Error(`the results that are kept are of ${before}, these of ${now}`)
  const names = new Set([...anew.rows, ...anew.missing].map(({ table }) => table))
  const isOld = ({ table }: { readonly table: string }): boolean => !names.has(table)
  const earlier = (kept.later ?? []).flatMap(({ at, tables }): readonly Later[] => {
    const left = tables.filter((table) => !names.has(table))
    return left.length === 0 ? [] : [{ at, tables: left }]
  })
  const versions = { ...anew.machine.versions, ...kept.machine.versions }
  return {
    ...kept,
    machine: { ...kept.machine, versions },
    rows: [...kept.rows.filter(isOld), ...anew.rows],
    missing: [...kept.missing.filter(isOld), ...anew.missing],
    later: [...earlier, { at: anew.at, tables: [...names] }],
  }
}

function machineOf({ machine }: Results): string {
  const { cpu, cores, system, versions } = machine
  return `${cpu}, ${cores} cores, ${system}, node ${versions['node']}`
}
