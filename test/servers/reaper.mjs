// Ends what a test process has started once that process is gone, whatever ended it: then its end of the pipe closes.
// Each line of standard input says `+pid dir` (to end, and a folder to remove, or nothing) or `-pid` (ended by its owner).
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

const dirs = new Map()

for await (const line of createInterface({ input: process.stdin })) {
  const [pid, dir] = line.slice(1).split(' ')
  if (line.startsWith('+')) dirs.set(Number(pid), dir)
  else dirs.delete(Number(pid))
}

for (const [pid, dir] of dirs) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
  if (dir) rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
}
