import type { Device, Session } from './client.js'

/** What the page makes of an error of the service, or of the way to it. */
export interface ServiceError {
  code?: number
  message?: string
  data?: { reason?: string; retryAfter?: number }
  errors?: { field: string; message: string }[]
}

// Why a session ended, as one tells it to whom it happened to
const farewells: Record<string, string> = {
  logout: 'You have signed out.',
  revoked: 'This device was signed out from another one of yours.',
  admin: 'An administrator has signed this device out.',
  password: 'Your password was changed on another device. That signs out all the others.',
  factor: 'The second factors of your account were changed on another device. That signs out all the others.',
  disabled: 'Your account is disabled. An administrator can enable it again.',
  deleted: 'Your account has been deleted.',
  reused: 'A token of this device was used twice, as by a thief. To be safe, its session was ended.',
  replaced: 'This browser signed in once more, and the new session took the place of this one.',
  evicted: 'You are signed in on very many devices. The one unused for longest had to make room.',
  expired: 'You were away for too long. Please sign in again.'
}

export const farewell = (reason = ''): string =>
  farewells[reason] ?? 'This session is not valid any more. Please sign in again.'

// The same of another device, in its owner's list
const departures: Record<string, string> = {
  logout: 'has signed out',
  reused: 'was signed out: one of its tokens was used twice',
  replaced: 'has signed in anew',
  evicted: 'was signed out to make room',
  expired: 'was away for too long'
}

export const departure = (device: string, reason = ''): string =>
  `${device} ${departures[reason] ?? 'was signed out'}.`

/** An error in one or two sentences that say what to do. */
export function explain({ code, message, data }: ServiceError): string {
  if (code === 429) {
    return `Too many attempts. Try again ${data?.retryAfter ? `in ${span(data.retryAfter)}` : 'later'}.`
  }
  if (code === 503) {
    return 'The service is not available right now. Try again in a moment.'
  }
  if (code === 401 && data?.reason === 'unverified') {
    return 'Your email is not confirmed yet. Open the link that was mailed to you; another is on its way.'
  }
  if (code === 401 && data?.reason) {
    return farewell(data.reason)
  }
  if (code === undefined || code === 408) {
    return 'The service does not answer. Is the network there? Try again in a moment.'
  }
  if (code >= 500) {
    return 'Something went wrong in the service. Try again in a moment.'
  }

  return `${message ?? 'That was refused'}.`
}

// Of what the service says of a field, that which people need not know the words for
const fieldWords: Record<string, string> = {
  'must be an email address, such as ada@example.com': 'That is no complete email address',
  'is taken': 'There is an account with this email already',
  'must not be empty': 'Please fill this in'
}

/** What is wrong with a field, for the place beside it. */
export function explainField(message: string): string {
  const words = fieldWords[message] ?? message

  return `${words[0]?.toUpperCase()}${words.slice(1)}.`
}

/** A time to wait, in words. @param seconds s */
function span(seconds: number): string {
  const minutes = Math.ceil(seconds / 60)

  return seconds < 90
    ? plural(Math.ceil(seconds), 'second')
    : minutes < 90
      ? plural(minutes, 'minute')
      : plural(Math.ceil(minutes / 60), 'hour')
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60]
]

/** How long ago: "3 minutes ago", "yesterday". */
export function ago(date: string, now = Date.now()): string {
  const seconds = (now - Date.parse(date)) / 1000
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? []

  return unit ? relative.format(-Math.floor(seconds / length!), unit) : 'just now'
}

/** When a device was last there. */
export const seen = ({ current, refreshedAt }: Session): string =>
  current ? 'Active now' : `Last seen ${ago(refreshedAt)}`

/** When it signed in, unless that is when it was last there. */
export function signedIn({ current, createdAt, refreshedAt }: Session): string | undefined {
  return current || ago(createdAt) !== ago(refreshedAt) ? `signed in ${ago(createdAt)}` : undefined
}

// The first that fits: browsers name those they descend from, too
const browsers: [RegExp, string][] = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\b(OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\bCriOS\//, 'Chrome'],
  [/\bChromium\//, 'Chromium'],
  [/\b(Headless)?Chrome\//, 'Chrome'],
  [/\bVersion\/.*\bSafari\//, 'Safari'],
  [/^curl\b/, 'curl'],
  [/^(node|undici)\b/i, 'Node.js']
]
const systems: [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b|\bX11\b/, 'Linux']
]
const firstOf = (table: [RegExp, string][], text: string) => table.find(([form]) => form.test(text))?.[1]

/** What a device is, by what its browser says: "Firefox on Linux". */
export function kindOf({ userAgent = '' }: Device): string {
  const browser = firstOf(browsers, userAgent)
  const system = firstOf(systems, userAgent)

  return browser && system ? `${browser} on ${system}` : (browser ?? system ?? 'Unknown device')
}

/** What its owner calls it, or else what it is. */
export const nameOf = (device: Device): string => device.name ?? kindOf(device)

/** The symbol of index.html for a device. */
export function iconOf({ userAgent = '' }: Device): 'computer' | 'phone' | 'tablet' | 'terminal' {
  if (/\biPad\b|\bTablet\b|\bAndroid\b(?!.*\bMobile\b)/.test(userAgent)) {
    return 'tablet'
  }
  if (/\bMobile\b|\biPhone\b/.test(userAgent)) {
    return 'phone'
  }

  return userAgent.startsWith('Mozilla/') ? 'computer' : 'terminal'
}
