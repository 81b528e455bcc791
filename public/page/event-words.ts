import type { AuditEvent, Device, EventType } from './client.js'
import { kindOf } from './words.js'

// How a session ended, as one tells it to its owner and to admins alike
const endings: Record<string, string> = {
  logout: 'Signed out',
  revoked: 'Signed out from another device',
  admin: 'Signed out by an administrator',
  password: 'Signed out: the password was changed',
  factor: 'Signed out: the second factors were changed',
  disabled: 'Signed out: the account was disabled',
  deleted: 'Signed out: the account was deleted',
  reused: 'Signed out: a token was used twice',
  replaced: 'Signed out: a new sign-in took its place',
  evicted: 'Signed out to make room for another device',
  expired: 'Signed out after a long absence'
}

const refusals: Record<string, string> = {
  refused: 'Sign-in refused: wrong password',
  disabled: 'Sign-in refused: the account is disabled',
  unverified: 'Sign-in refused: the email is not confirmed',
  invalid: 'Sign-in refused: wrong code of a second factor',
  limited: 'Sign-in refused: too many attempts'
}

const sentences: Record<EventType, (event: AuditEvent) => string> = {
  'signed-in': signedIn,
  'new-device': signedIn,
  'sign-in-refused': ({ reason = '' }) => refusals[reason] ?? 'Sign-in refused',
  'token-reused': () => 'A token came that had been used before',
  'session-ended': ({ reason = '' }) => endings[reason] ?? 'Signed out',
  'password-changed': (event) => `Password changed${byOther(event)}`,
  'email-changed': (event) => `Email changed${byOther(event)}`,
  'email-verified': () => 'Email confirmed',
  'email-kept': () => 'A change of the email was taken back',
  'stepped-up': () => 'Confirmed who it is',
  'factor-added': () => 'Second factor added',
  'factor-removed': (event) =>
    event.factor === 'all' ? `All second factors removed${byOther(event)}` : 'Second factor removed',
  'recovery-codes-renewed': () => 'New recovery codes made',
  'recovery-code-used': () => 'A recovery code was used',
  'passkey-counter-stalled': () => 'A passkey may have been copied',
  'roles-changed': (event) => `Roles changed${byOther(event)}: ${event.roles?.join(', ')}`,
  'user-disabled': (event) => `Account disabled${byOther(event)}`,
  'user-enabled': (event) => `Account enabled${byOther(event)}`,
  'user-deleted': (event) => `Account deleted${byOther(event)}`
}

/** What happened, in plain words. */
export const tell = (event: AuditEvent): string => sentences[event.type](event)

function signedIn({ strategy = 'local' }: AuditEvent): string {
  return strategy === 'local' ? 'Signed in' : `Signed in with ${strategy}`
}

/** Of what others than the owner did: an admin who was signed in, or somebody at the command line. */
function byOther({ by, userId }: AuditEvent): string {
  return by === userId ? '' : by ? ' by an administrator' : ' by the operator'
}

/** What it was done from, unless an admin did it: whose address is nobody else's business. */
export const deviceOf = ({ by, userId, device }: AuditEvent): Device => (by && by !== userId ? {} : device)

/** The program and the address of a device; '' where neither is known. */
export const whence = ({ userAgent, ip }: Device): string =>
  [userAgent && kindOf({ userAgent }), ip && `IP ${ip}`].filter(Boolean).join(' · ')

/** Whether its owner should take a second look. */
export const isSuspicious = ({ type, reason }: AuditEvent): boolean =>
  ['new-device', 'sign-in-refused', 'token-reused'].includes(type) || reason === 'reused'

const symbols: Partial<Record<EventType, string>> = {
  'signed-in': 'in',
  'new-device': 'in',
  'sign-in-refused': 'refused',
  'token-reused': 'alarm',
  'session-ended': 'out'
}

/** The symbol of index.html for an event. */
export const symbolOf = ({ type }: AuditEvent): string => symbols[type] ?? 'changed'

const exact = new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'long' })

/** A time to the second, with its zone. */
export const exactly = (date: string): string => exact.format(new Date(date))
