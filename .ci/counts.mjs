// Prints `passed failed` out of vitest's JSON report; a file that did not load counts as failed.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const unloaded = report.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.length === 0,
)
console.log(`${report.numPassedTests} ${report.numFailedTests + unloaded.length}`)
