import { base64url, decoded, handmade, secretsOf, signature } from './tokens.js'
import type { TestApp } from './app.js'

/** A genuine token, and what its key could be made to sign. */
export interface Genuine {
  token: string
  header: Record<string, unknown>
  claims: Record<string, unknown>
  secret: string
  /** The other token of the same login, and the secret of its kind. */
  other: { token: string; secret: string }
  /** ms since 1970 */
  now: number
}

export interface Login {
  accessToken: string
  refreshToken: string
}

export function genuine(t: TestApp, kind: 'access' | 'refresh', login: Login): Genuine {
  const secrets = secretsOf(t)
  const isAccess = kind === 'access'
  const token = isAccess ? login.accessToken : login.refreshToken

  return {
    ...decoded(token),
    token,
    secret: isAccess ? secrets.access : secrets.refresh,
    other: {
      token: isAccess ? login.refreshToken : login.accessToken,
      secret: isAccess ? secrets.refresh : secrets.access
    },
    now: t.clock.now
  }
}

export type Forgery = (genuine: Genuine) => string

const withHeader =
  (changes: object, options: { hash?: string } = {}): Forgery =>
  ({ header, claims, secret }) =>
    handmade({ ...header, ...changes }, claims, { secret, ...options })

/** Signed with the right key; `undefined` leaves a claim out. */
export const withClaims =
  (changes: object): Forgery =>
  ({ header, claims, secret }) =>
    handmade(header, { ...claims, ...changes }, { secret })

const withHeaderText =
  (change: (json: string) => string): Forgery =>
  ({ header, claims, secret }) =>
    handmade(change(JSON.stringify(header)), claims, { secret })

export const withClaimsText =
  (change: (json: string) => string): Forgery =>
  ({ header, claims, secret }) =>
    handmade(header, change(JSON.stringify(claims)), { secret })

const withParts =
  (change: (parts: [string, string, string]) => string[]): Forgery =>
  ({ token }) =>
    change(token.split('.') as [string, string, string]).join('.')

/** Seconds from now, as `iat` and `nbf` are judged. */
export const inFuture =
  (claim: string, seconds: number): Forgery =>
  (token) =>
    withClaims({ [claim]: Math.floor(token.now / 1000) + seconds })(token)

/** Another character that stands for the same bytes: the last bits of a base64url text may mean nothing. */
function withOtherTrailingBits(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(text.at(-1)!)

  return text.slice(0, -1) + alphabet[last ^ 1]
}

/** The right claims, encoded in another way, under a right signature. */
function withOtherClaimsText(change: (text: string) => string): Forgery {
  return ({ header, claims, secret }) => {
    const encoded = ['', 'x', 'xx'].map((x) => base64url(JSON.stringify({ ...claims, x })))
    // one whose last character has bits to spare
    const text = encoded.find(({ length }) => length % 4 !== 0)!
    const input = `${base64url(JSON.stringify(header))}.${change(text)}`

    return `${input}.${signature(input, secret)}`
  }
}

/** A token of at least that many characters, and two more at most: base64url has no text of every length. */
export const ofSize =
  (size: number): Forgery =>
  (token) => {
    const lengthWith = (filler: number) => withClaims({ filler: 'x'.repeat(filler) })(token).length
    let filler = Math.floor(((size - lengthWith(0)) * 3) / 4)

    while (lengthWith(filler) < size) {
      filler++
    }

    return withClaims({ filler: 'x'.repeat(filler) })(token)
  }

const wrongTypes = {
  missing: undefined,
  null: null,
  'a number': 7,
  empty: '',
  'a list': ['a'],
  'an object': {}
}

const ofWrongType = (claims: string[]): [string, Forgery][] =>
  claims.flatMap((claim) =>
    Object.entries(wrongTypes).map(([type, value]): [string, Forgery] => [
      `${claim} ${type}`,
      withClaims({ [claim]: value })
    ])
  )

/** What nobody may get in with: refused as `invalid`, whichever kind it is of. */
export const forgeries: [string, Forgery][] = [
  ['the other kind of token', ({ other }) => other.token],
  ['its content signed as the other kind', ({ header, claims, other }) => handmade(header, claims, other)],
  ['typ missing', withHeader({ typ: undefined })],
  ['typ JWT', withHeader({ typ: 'JWT' })],
  ['typ of the other kind', (token) => withHeader({ typ: decoded(token.other.token).header.typ })(token)],
  ['typ in a list', ({ header, ...rest }) => withHeader({ typ: [header.typ] })({ header, ...rest })],

  ['alg none, unsigned', ({ header, claims }) => unsigned({ ...header, alg: 'none' }, claims)],
  ['alg None, unsigned', ({ header, claims }) => unsigned({ ...header, alg: 'None' }, claims)],
  ['alg none, signed', withHeader({ alg: 'none' })],
  ['alg as it should be, unsigned', ({ header, claims }) => unsigned(header, claims)],
  ['alg HS512, and so signed', withHeader({ alg: 'HS512' }, { hash: 'sha512' })],
  ['alg HS384, and so signed', withHeader({ alg: 'HS384' }, { hash: 'sha384' })],
  ['alg RS256, signed with HMAC', withHeader({ alg: 'RS256' })],
  ['alg missing', withHeader({ alg: undefined })],
  ['alg in a list', withHeader({ alg: ['HS256'] })],

  ['kid unknown', withHeader({ kid: 'unknown' })],
  ['kid missing', withHeader({ kid: undefined })],
  ['kid a number', withHeader({ kid: 7 })],
  ['kid __proto__', withHeaderText((json) => json.replace(/"kid":"[^"]*"/, '"kid":"__proto__"'))],
  ['kid of the other kind', (token) => withHeader({ kid: decoded(token.other.token).header.kid })(token)],
  [
    'kid of the other kind, and so signed',
    ({ header, claims, other }) =>
      handmade({ ...header, kid: decoded(other.token).header.kid }, claims, { secret: other.secret })
  ],

  ['another key', ({ header, claims }) => handmade(header, claims, { secret: 'another secret' })],
  ['no key', ({ header, claims }) => handmade(header, claims, { secret: '' })],
  ['another signature', withParts(([header, claims]) => [header, claims, signature('x', 'y')])],
  ['a signature cut short', withParts(([header, claims, sign]) => [header, claims, sign.slice(0, -4)])],
  [
    'claims changed',
    ({ token, claims }) =>
      token.replace(token.split('.')[1]!, base64url(JSON.stringify({ ...claims, admin: true })))
  ],

  ['crit', withHeader({ crit: ['exp'] })],
  ['crit empty', withHeader({ crit: [] })],
  ['crit null', withHeader({ crit: null })],
  ['crit b64', withHeader({ crit: ['b64'], b64: false })],

  ['a header given twice', withHeaderText((json) => json.replace('{', '{"alg":"none",'))],
  ['sub given twice', withClaimsText((json) => json.replace('{', '{"sub":"somebody else",'))],
  ['exp given twice', withClaimsText((json) => json.replace('{', '{"exp":1,'))],
  ['a claim given twice alike', withClaimsText((json) => json.replace('{', '{"iss":"moult",'))],
  ['an unknown claim given twice', withClaimsText((json) => json.replace('{', '{"x":1,"x":2,'))],
  ['an escaped name', withClaimsText((json) => json.replace('"sub"', String.raw`"s\u0075b"`))],

  ['iat 61 s ahead', inFuture('iat', 61)],
  ['nbf 61 s ahead', inFuture('nbf', 61)],
  ['iat missing', withClaims({ iat: undefined })],
  ['iat a text', ({ claims, ...rest }) => withClaims({ iat: String(claims.iat) })({ claims, ...rest })],
  ['nbf a text', withClaims({ nbf: '0' })],
  ['nbf null', withClaims({ nbf: null })],
  ['exp missing', withClaims({ exp: undefined })],
  ['exp null', withClaims({ exp: null })],
  ['exp a text', ({ claims, ...rest }) => withClaims({ exp: String(claims.exp) })({ claims, ...rest })],
  ['exp infinite', withClaimsText((json) => json.replace(/"exp":\d+/, '"exp":1e999'))],
  ['exp true', withClaims({ exp: true })],

  ['iss of another', withClaims({ iss: 'another' })],
  ['iss missing', withClaims({ iss: undefined })],
  ['iss a list', withClaims({ iss: ['moult'] })],
  ['aud of another', withClaims({ aud: 'another' })],
  ['aud missing', withClaims({ aud: undefined })],
  ['aud a list', withClaims({ aud: ['moult'] })],
  ['aud a list with another', withClaims({ aud: ['moult', 'another'] })],
  ...ofWrongType(['sub', 'sid', 'jti']),

  ...['[]', '"text"', 'null', '7', 'true', '', '{', '{} ', '[{"sub":"x"}]'].flatMap(
    (json): [string, Forgery][] => [
      [`claims ${json || 'empty'}`, withClaimsText(() => json)],
      [`header ${json || 'empty'}`, withHeaderText(() => json)]
    ]
  ),

  ['padding', withParts(([header, claims, sign]) => [header, claims, `${sign}=`])],
  ['padded claims', withParts(([header, claims, sign]) => [header, `${claims}==`, sign])],
  [
    'other trailing bits',
    withParts(([header, claims, sign]) => [header, claims, withOtherTrailingBits(sign)])
  ],
  ['claims with other trailing bits, and so signed', withOtherClaimsText(withOtherTrailingBits)],
  [
    'padded claims, and so signed',
    withOtherClaimsText((text) => text.padEnd(text.length + (-text.length & 3), '='))
  ],
  ['base64 for base64url', ({ token }) => token.replace(/.$/, '+')],
  ['a blank before', ({ token }) => ` ${token}`],
  ['a line break after', ({ token }) => `${token}\n`],
  ['a line break within', withParts(([header, claims, sign]) => [header, `${claims}\n`, sign])],

  ['four parts', ({ token }) => `${token}.`],
  ['five parts', ({ token }) => `${token}.a.b`],
  ['two parts', withParts(([header, claims]) => [header, claims])],
  ['one part', withParts(([header]) => [header])],
  ['three empty parts', () => '..'],
  ['nothing', () => ''],
  ['a word', () => 'token'],
  ['odd characters', () => 'ä.\u0000.😀'],
  ['more than 8 KiB', ofSize(8 * 1024 + 1)],
  ['far more than 8 KiB', () => 'x'.repeat(90_000)]
]

function unsigned(header: object, claims: object): string {
  return `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}.`
}

/** Of a refresh token alone. */
export const refreshTokenForgeries: [string, Forgery][] = ofWrongType(['prev'])
