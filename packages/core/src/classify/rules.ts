import { shown, throwIfAny, type Problem } from '../errors.ts'
import type { HeaderMap } from './retry-after.ts'
import { isEmptyPage, scanner, type Scanner } from './scan.ts'
import { VENDOR_MARKS, type VendorRule } from './vendors.ts'

/** How much of a body is read. */
export const MOST_BODY = 16_384
const MOST_SHORT = 4096
const MOST_RULES = 1000

// JSON and XML answers may quote what people write; a page that is short is written by a machine.
const DATA = /^\s*(?:[{[]|<\?xml)/

export interface CompiledRule {
  readonly rule: VendorRule
  readonly title: string | undefined
  readonly url: string | undefined
  readonly headerValue: string | undefined
  /** Indexes into the scanner's marks. */
  readonly body: readonly number[]
}

export interface Compiled {
  readonly rules: readonly CompiledRule[]
  readonly scanner: Scanner
  /** Pairs of a mark's index and its vendor. */
  readonly vendors: readonly (readonly [mark: number, vendor: string])[]
}

// Rules are data that outlives the calls: each array is compiled the first time it is seen.
const compiledRules = new WeakMap<readonly VendorRule[], Compiled>()

/** @throws OstlerError INVALID_OPTIONS for a rule that is none, or would hold of every answer. */
export function compiledOf(rules: readonly VendorRule[]): Compiled {
  return compiledRules.get(rules) ?? compile(rules)
}

/** What rules look at; texts are lower case, the body aside. */
export interface Page {
  readonly status: number
  readonly headers: HeaderMap
  readonly body: string
  readonly title: string
  readonly url: string
  readonly marks: Uint8Array
}

/** Whether every condition of a rule holds. */
export function holds(
  { rule, title, url, headerValue, body }: CompiledRule,
  page: Page,
  scanner: Scanner,
): boolean {
  for (let i = 0; i < body.length; i++) if (page.marks[body[i]] === 0) return false
  const status = rule.status
  if (status !== undefined && !(page.status >= status[0] && page.status <= status[1])) return false
  if (title !== undefined && !page.title.startsWith(title)) return false
  if (url !== undefined && !page.url.includes(url)) return false
  if (headerValue !== undefined) {
    const value = page.headers.get(rule.header!.name.toLowerCase())
    if (value === undefined || !value.toLowerCase().includes(headerValue)) return false
  }
  if (rule.page === 'short') return page.body.length <= MOST_SHORT && !DATA.test(page.body)
  if (rule.page === 'empty') {
    // A page that was cut off may have its text later.
    const own = body.map((mark) => scanner.marks[mark])
    return page.body.length < MOST_BODY && isEmptyPage(page.body, own)
  }
  return true
}

/** What a rule has matched, for people. */
export function evidenceOf(rule: VendorRule): string {
  const parts = []
  const header = rule.header
  if (header !== undefined) parts.push(`header ${header.name}: ${header.value}`.trim())
  if (rule.title !== undefined) parts.push(`title ${shown(rule.title)}`)
  if (rule.body !== undefined) parts.push(`body has ${rule.body.map(shown).join(', ')}`)
  if (rule.url !== undefined) parts.push(`URL has ${shown(rule.url)}`)
  return parts.join('; ')
}

function compile(rules: readonly VendorRule[]): Compiled {
  throwIfAny('INVALID_OPTIONS', problemsOf(rules))
  const marks = new Map<string, number>()
  const markOf = (mark: string): number => {
    const folded = mark.toLowerCase()
    if (!marks.has(folded)) marks.set(folded, marks.size)
    return marks.get(folded)!
  }
  const vendors = VENDOR_MARKS.map(([mark, vendor]) => [markOf(mark), vendor] as const)
  const compiled = rules.map((rule): CompiledRule => {
    return {
      rule,
      title: rule.title?.toLowerCase(),
      url: rule.url?.toLowerCase(),
      headerValue: rule.header?.value.toLowerCase(),
      body: (rule.body ?? []).map(markOf),
    }
  })
  const result = { rules: compiled, scanner: scanner([...marks.keys()]), vendors }
  compiledRules.set(rules, result)
  return result
}

const OUTCOMES: readonly unknown[] = ['rate_limited', 'challenged', 'blocked']

function problemsOf(rules: readonly VendorRule[]): Problem[] {
  if (!Array.isArray(rules) || rules.length > MOST_RULES) {
    return [
      { path: 'rules', message: `must be an array of at most ${MOST_RULES}, got ${shown(rules)}` },
    ]
  }
  return rules.flatMap((rule: VendorRule, index) => problemsOfRule(rule, `rules[${index}]`))
}

function problemsOfRule(rule: VendorRule, path: string): Problem[] {
  if (typeof rule !== 'object' || rule === null) {
    return [{ path, message: `must be an object, got ${shown(rule)}` }]
  }
  const problems: Problem[] = []
  const expect = (holds: boolean, name: string, what: string, value: unknown): void => {
    const message = `must be ${what}, got ${shown(value)}`
    if (!holds) problems.push({ path: `${path}.${name}`, message })
  }
  const { outcome, confidence, header, title, body, url, status, page } = rule
  expect(OUTCOMES.includes(outcome), 'outcome', 'rate_limited, challenged or blocked', outcome)
  expect(confidence >= 0 && confidence <= 1, 'confidence', 'a number from 0 to 1', confidence)
  const named = header === undefined || (isText(header?.name) && isText(header?.value))
  expect(named, 'header', '{ name, value }, both texts', header)
  expect(title === undefined || isText(title), 'title', 'a text', title)
  expect(url === undefined || isText(url), 'url', 'a text', url)
  const range = status === undefined || (Array.isArray(status) && status.length === 2)
  expect(range, 'status', '[least, most]', status)
  expect([undefined, 'short', 'empty'].includes(page), 'page', "'short' or 'empty'", page)
  const marks = body === undefined || (Array.isArray(body) && body.every(isMark))
  expect(marks, 'body', 'an array of texts of 4 to 256 characters', body)
  const says = Boolean(header ?? title ?? url) || (Array.isArray(body) && body.length > 0)
  expect(
    says,
    'header',
    'given, or title, body or url: else the rule holds of every answer',
    header,
  )
  return problems
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isMark(value: unknown): boolean {
  return typeof value === 'string' && value.length >= 4 && value.length <= 256
}
