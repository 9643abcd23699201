import { allocatedBytes } from './run/allocation.ts'
import type { Answer, Job } from './run/jobs.ts'
import { timeCases } from './run/timing.ts'
import { tableOf } from './tables/index.ts'

// Does the one job that it is sent, in this fresh process, and sends back what it found.
process.once('message', (job: Job) => {
  answer(job).then(
    (found) => process.send?.(found, () => process.exit(0)),
    (error: unknown) => {
      console.error(error)
      const why = error instanceof Error ? error.message : String(error)
      process.send?.({ what: 'failed', why } satisfies Answer, () => process.exit(1))
    },
  )
})

async function answer({ room, table: name, rows, what, pace, first }: Job): Promise<Answer> {
  const table = await tableOf(room, name)
  const cases = (table.cases ?? []).filter((one) => rows.includes(one.name))
  switch (what) {
    case 'time':
      return { what, timings: Object.fromEntries(await timeCases(cases, pace, first)) }
    case 'bytes':
      return { what, bytes: await allocatedBytes(cases[0]) }
    case 'gauge': {
      const gauge = table.gauges?.find((one) => rows.includes(one.name))
      if (gauge === undefined) throw new Error(`${name} has no gauge ${rows.join(', ')}`)
      return { what, figures: await gauge.measure() }
    }
    default:
      return what satisfies never
  }
}
