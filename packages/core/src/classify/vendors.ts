/**
 * One sign of a block. Every condition that is given must hold; texts are compared without regard
 * to the case of letters. Rules are tried in order, and the first that holds decides: the specific
 * before the general.
 */
export interface VendorRule {
  /** Who protects the target; without it the marks of {@link VENDOR_MARKS} tell. */
  readonly vendor?: string
  readonly outcome: 'rate_limited' | 'challenged' | 'blocked'
  /** 0 to 1. */
  readonly confidence: number
  /** For people. Default: what was matched. */
  readonly evidence?: string
  /** The lowest and highest status, both included. Default: any. */
  readonly status?: readonly [least: number, most: number]
  /** A header by lower-case name, that contains `value`. */
  readonly header?: { readonly name: string; readonly value: string }
  /** The page's title begins so. */
  readonly title?: string
  /** The first 16 KiB of the body hold all of these; each has 4 to 256 characters. */
  readonly body?: readonly string[]
  /** The final URL, or the `Location` of a redirect, contains this. */
  readonly url?: string
  /**
   * `short`: at most 4,096 characters, neither JSON nor XML. `empty`: complete, with nothing to
   * read and no script but those of `body`.
   */
  readonly page?: 'short' | 'empty'
}

type Kind = VendorRule['outcome']

const ERROR: readonly [number, number] = [400, 999]
const DENIAL: readonly [number, number] = [401, 403]
// 401 with these words wants credentials, 404 means what it says.
const FORBIDDEN: readonly [number, number] = [403, 403]

const header = (vendor: string, outcome: Kind, name: string, value: string): VendorRule => ({
  vendor,
  outcome,
  confidence: 0.99,
  header: { name, value },
})

const title = (vendor: string | undefined, outcome: Kind, text: string): VendorRule => ({
  ...(vendor === undefined ? {} : { vendor }),
  outcome,
  confidence: 0.9,
  title: text,
})

const code = (vendor: string, outcome: Kind, ...body: string[]): VendorRule => ({
  vendor,
  outcome,
  confidence: 0.95,
  body,
})

const denial = (vendor: string, ...body: string[]): VendorRule => ({
  vendor,
  outcome: 'blocked',
  confidence: 0.95,
  status: ERROR,
  body,
})

const url = (vendor: string, text: string): VendorRule => ({
  vendor,
  outcome: 'challenged',
  confidence: 0.95,
  url: text,
})

/** A sentence that only a refusal says: on any error, or on a short page of another status. */
const sentence = (outcome: Kind, text: string): readonly VendorRule[] => [
  { outcome, confidence: 0.8, status: ERROR, body: [text] },
  { outcome, confidence: 0.7, page: 'short', body: [text] },
]

// Headers that a vendor sets on its own answers, and never on the target's.
const HEADERS: readonly VendorRule[] = [
  header('cloudflare', 'challenged', 'cf-mitigated', 'challenge'),
  header('aws-waf', 'challenged', 'x-amzn-waf-action', 'challenge'),
  header('aws-waf', 'challenged', 'x-amzn-waf-action', 'captcha'),
  header('vercel', 'challenged', 'x-vercel-mitigated', 'challenge'),
  header('vercel', 'blocked', 'x-vercel-mitigated', 'deny'),
  header('sucuri', 'blocked', 'x-sucuri-block', ''),
  header('siteground', 'challenged', 'sg-captcha', 'challenge'),
  { ...header('datadome', 'challenged', 'x-dd-b', ''), status: ERROR },
  { ...header('datadome', 'challenged', 'server', 'datadome'), status: ERROR },
  { ...header('kasada', 'challenged', 'x-kpsdk-ct', ''), status: [429, 429] },
  { ...header('ddos-guard', 'challenged', 'server', 'ddos-guard'), status: DENIAL },
  { ...header('qrator', 'challenged', 'server', 'qrator'), status: DENIAL },
]

// What stands in the source of a vendor's own page, and not in pages that it lets through.
const PAGES: readonly VendorRule[] = [
  denial('cloudflare', 'sorry, you have been blocked', 'cloudflare'),
  denial('cloudflare', 'used cloudflare to restrict access'),
  denial('cloudflare', 'error code: 1005'),
  denial('cloudflare', 'error code: 1006'),
  denial('cloudflare', 'error code: 1007'),
  denial('cloudflare', 'error code: 1008'),
  denial('cloudflare', 'error code: 1009'),
  denial('cloudflare', 'error code: 1010'),
  denial('cloudflare', 'error code: 1012'),
  denial('cloudflare', 'error code: 1020'),
  { ...denial('cloudflare', 'error code: 1015'), outcome: 'rate_limited' },
  code('cloudflare', 'challenged', 'window._cf_chl_opt'),
  denial('akamai', 'access denied', 'errors.edgesuite.net'),
  denial('akamai', 'access denied', "you don't have permission to access", 'reference&#32;&#35;'),
  code('akamai', 'challenged', 'sec-if-cpt-container'),
  code('akamai', 'challenged', '/_sec/cp_challenge/'),
  code('datadome', 'challenged', 'var dd={', 'captcha-delivery.com'),
  code('perimeterx', 'challenged', 'id="px-captcha"'),
  code('perimeterx', 'challenged', '_pxappid', '/captcha/captcha.js'),
  denial('imperva', 'incapsula incident id'),
  denial('imperva', 'request unsuccessful. incapsula incident'),
  code('imperva', 'challenged', 'src="/_incapsula_resource?', 'incident_id='),
  code('kasada', 'challenged', 'window.kpsdk=', '/ips.js?'),
  code('aws-waf', 'challenged', 'awswafcookiedomainlist', 'gokuprops'),
  denial('aws', 'request blocked', 'generated by cloudfront'),
  denial('azure', 'the request is blocked', 'x-azure-ref'),
  denial('f5', 'the requested url was rejected', 'support id'),
  denial('sucuri', 'sucuri website firewall', 'access denied'),
  denial('wordfence', 'generated by wordfence'),
  denial('modsecurity', 'not acceptable', 'mod_security'),
  code('anubis', 'challenged', 'id="anubis_challenge"'),
  code('alibaba', 'challenged', '_____tmd_____/punish'),
  code('google', 'challenged', 'id="captcha-form"', 'g-recaptcha'),
  code('amazon', 'challenged', 'api-services-support@amazon.com', 'validatecaptcha'),
  denial('reddit', "you've been blocked by network security"),
  denial('reddit', 'whoa there, pardner'),
]

const TITLES: readonly VendorRule[] = [
  title('cloudflare', 'challenged', 'just a moment...'),
  title('cloudflare', 'challenged', 'attention required! | cloudflare'),
  title('anubis', 'challenged', "making sure you're not a bot"),
  title('vercel', 'challenged', 'vercel security checkpoint'),
  title('perimeterx', 'challenged', 'access to this page has been denied'),
  title('perimeterx', 'challenged', 'robot or human?'),
  title('imperva', 'challenged', 'pardon our interruption'),
  title('radware', 'challenged', 'radware bot manager captcha'),
  title('ddos-guard', 'challenged', 'ddos-guard'),
  title('amazon', 'challenged', 'robot check'),
  title('baidu', 'challenged', '百度安全验证'),
  title('weibo', 'challenged', 'sina visitor system'),
  title('tencent', 'challenged', '请点击按钮开始验证'),
  { ...title('fastly', 'challenged', 'client challenge'), body: ['/_fs-ch-'] },
  { ...title('google', 'challenged', 'before you continue to '), body: ['consent.'] },
  title(undefined, 'challenged', 'verify you are human'),
  title(undefined, 'challenged', 'verify you are a human'),
  title(undefined, 'challenged', 'verifying you are human'),
  title(undefined, 'challenged', 'please verify you are'),
  title(undefined, 'challenged', 'are you a robot?'),
  title(undefined, 'challenged', 'are you human?'),
  title(undefined, 'challenged', 'human verification'),
  title(undefined, 'challenged', 'bot verification'),
  title(undefined, 'challenged', 'checking your browser'),
  { ...title(undefined, 'blocked', 'access denied'), status: FORBIDDEN },
  { ...title(undefined, 'blocked', 'blocked'), status: ERROR },
  title(undefined, 'blocked', 'you have been blocked'),
  title(undefined, 'blocked', 'your ip has been blocked'),
]

const URLS: readonly VendorRule[] = [
  url('datadome', 'geo.captcha-delivery.com/'),
  url('google', 'google.com/sorry/'),
  url('google', '//consent.google.com/'),
  url('google', '//consent.youtube.com/'),
  url('radware', '//validate.perfdrive.com/'),
  url('yandex', '/showcaptcha?'),
  url('cloudflare', '__cf_chl_rt_tk='),
  url('anubis', '/.within.website/?redir='),
  url('siteground', '/.well-known/sgcaptcha/'),
  url('perimeterx', '/blocked?url='),
  url('ebay', '/splashui/challenge'),
]

const SENTENCES: readonly VendorRule[] = [
  ...sentence('blocked', 'your network is blocked'),
  ...sentence('blocked', 'your network has been blocked'),
  ...sentence('blocked', 'you have been blocked'),
  ...sentence('blocked', 'your ip has been blocked'),
  ...sentence('blocked', 'your ip is blocked'),
  ...sentence('blocked', 'your ip address has been blocked'),
  ...sentence('blocked', 'your ip address is blocked'),
  ...sentence('blocked', 'access from your ip'),
  ...sentence('blocked', 'your access to this site has been limited'),
  ...sentence('blocked', 'has been blocked by the security'),
  ...sentence('challenged', 'unusual traffic from your computer network'),
  ...sentence('challenged', 'enable javascript and cookies to continue'),
  ...sentence('challenged', 'checking your browser before accessing'),
  ...sentence('challenged', 'verify you are human'),
  ...sentence('challenged', 'confirm you are not a robot'),
  ...sentence('challenged', "confirm you're not a robot"),
  {
    outcome: 'blocked',
    confidence: 0.7,
    status: FORBIDDEN,
    page: 'short',
    body: ['access denied'],
  },
  { outcome: 'rate_limited', confidence: 0.7, status: [403, 403], body: ['too many requests'] },
  { outcome: 'rate_limited', confidence: 0.7, status: [403, 403], body: ['rate limit exceeded'] },
  { outcome: 'rate_limited', confidence: 0.7, status: [503, 503], body: ['too many requests'] },
  { outcome: 'rate_limited', confidence: 0.7, status: [503, 503], body: ['rate limit exceeded'] },
]

/**
 * What shows that a vendor is there, and no more: its script or widget stands on pages that it
 * lets through, too. It names the vendor of a block that other evidence shows, and is evidence
 * only where the page has nothing else.
 */
export const VENDOR_MARKS: readonly (readonly [mark: string, vendor: string])[] = [
  ['captcha-delivery.com', 'datadome'],
  ['_incapsula_resource', 'imperva'],
  ['bmak.sensor_data', 'akamai'],
  ['/ips.js?', 'kasada'],
  ['.awswaf.com/', 'aws-waf'],
  ['/_fs-ch-', 'fastly'],
  ['px-cdn.net', 'perimeterx'],
  ['perimeterx.net', 'perimeterx'],
  ['cheqzone.com', 'cheq'],
  ['arkoselabs.com', 'arkose'],
  ['captcha.qcloud.com', 'tencent'],
  ['hcaptcha.com', 'hcaptcha'],
  ['challenges.cloudflare.com', 'cloudflare'],
  ['google.com/recaptcha', 'recaptcha'],
  ['g-recaptcha', 'recaptcha'],
  ['geetest.com', 'geetest'],
  ['window.rbzns', 'reblaze'],
  ['<ytd-app', 'youtube'],
]

const INTERSTITIALS: readonly VendorRule[] = VENDOR_MARKS.map(([mark, vendor]) => ({
  vendor,
  outcome: 'challenged',
  confidence: 0.8,
  evidence: `a page of nothing but ${mark}`,
  status: [200, 599],
  body: [mark],
  page: 'empty',
}))

/**
 * The rules that `classify` goes by when it is given none. Custom ones may stand before them:
 * `[...mine, ...VENDOR_RULES]`.
 */
export const VENDOR_RULES: readonly VendorRule[] = Object.freeze([
  ...HEADERS,
  ...PAGES,
  ...TITLES,
  ...URLS,
  ...INTERSTITIALS,
  ...SENTENCES,
])
