import type { AuditEvent, Device, EventType } from './client.js'
import { kindOf } from './words.js'

// How a session ended, for its owner and for admins
const endings: Record<string, string> = {
  logout: 'Signed out',
  revoked: 'Signed out from another device',
  admin: 'Signed out by an administrator',
  password: 'Signed out: the password was changed',
  factor: 'Signed out: two-step sign-in was changed',
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
  invalid: 'Sign-in refused: wrong code or passkey',
  limited: 'Sign-in refused: too many attempts'
}

const sentences: Record<EventType, (event: AuditEvent) => string> = {
  'signed-in': signedIn,
  'new-device': signedIn,
  'sign-in-refused': ({ reason = '' }) => refusals[reason] ?? 'Sign-in refused',
  'token-reused': () => 'A used token was presented again',
  'session-ended': ({ reason = '' }) => endings[reason] ?? 'Signed out',
  'password-changed': (event) => `Password changed${byOther(event)}`,
  'email-changed': (event) => `Email changed${byOther(event)}`,
  'email-verified': () => 'Email confirmed',
  'email-kept': () => 'A change of the email was reverted',
  'stepped-up': () => 'Identity confirmed',
  'factor-added': (event) => `${factorOf(event)} added${byOther(event)}`,
  'factor-removed': (event) =>
    event.factor === 'all'
      ? `Two-step sign-in turned off${byOther(event)}`
      : `${factorOf(event)} removed${byOther(event)}`,
  'recovery-codes-renewed': () => 'New recovery codes made',
  'recovery-code-used': () => 'A recovery code was used',
  'passkey-counter-stalled': () => 'A passkey may have been copied',
  'roles-changed': (event) => `Roles changed${byOther(event)}: ${event.roles?.join(', ')}`,
  'user-disabled': (event) => `Account disabled${byOther(event)}`,
  'user-enabled': (event) => `Account enabled${byOther(event)}`,
  'user-deleted': (event) => `Account deleted${byOther(event)}`
}

/** Describes an event in plain words. */
export const tell = (event: AuditEvent): string => sentences[event.type](event)

function signedIn({ strategy = 'local' }: AuditEvent): string {
  return strategy === 'local' ? 'Signed in' : `Signed in with ${strategies[strategy] ?? strategy}`
}

const strategies: Record<string, string> = {
  totp: 'a code of an app',
  'recovery-code': 'a recovery code',
  passkey: 'a passkey',
  'email-code': 'a code by mail'
}
const factors: Record<string, string> = { totp: 'Authenticator app', passkey: 'Passkey' }
const factorOf = ({ factor = '' }: AuditEvent): string => factors[factor] ?? 'Second step'

/** Says who did it, if not the owner: an admin, or somebody at the command line. */
function byOther({ by, userId }: AuditEvent): string {
  return by === userId ? '' : by ? ' by an administrator' : ' by the operator'
}

/** The device it was done from; empty if an admin did it, whose address isn't shown to others. */
export const deviceOf = ({ by, userId, device }: AuditEvent): Device => (by && by !== userId ? {} : device)

/** The program and the address of a device; '' if neither is known. */
export const whence = ({ userAgent, ip }: Device): string =>
  [userAgent && kindOf({ userAgent }), ip && `IP ${ip}`].filter(Boolean).join(' · ')

/** Whether the owner should check this event. */
export const isSuspicious = ({ type, reason }: AuditEvent): boolean =>
  ['new-device', 'sign-in-refused', 'token-reused'].includes(type) || reason === 'reused'

const symbols: Partial<Record<EventType, string>> = {
  'signed-in': 'in',
  'new-device': 'in',
  'sign-in-refused': 'refused',
  'token-reused': 'alarm',
  'session-ended': 'out'
}

/** The name of the symbol in index.html for an event. */
export const symbolOf = ({ type }: AuditEvent): string => symbols[type] ?? 'changed'

const exact = new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'long' })

/** A time to the second, with its zone. */
export const exactly = (date: string): string => exact.format(new Date(date))
