/** One number of Prometheus' text format. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** All numbers of one metric. */
export function samples(metrics: string, name: string): readonly Sample[] {
  const lines = metrics.split('\n').filter((line) => /^[^ {]+/.exec(line)?.[0] === name)
  return lines.map((line) => ({
    labels: Object.fromEntries(
      [...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value]),
    ),
    value: Number(line.slice(line.lastIndexOf(' '))),
  }))
}
