import { write } from './layout.js'
import type { MailTemplates } from './mail.js'

const unasked =
  'If you did not ask for this, you can ignore this mail: nothing changes unless the link is used.'

/** The mails, in English. An app replaces those that it wants to say otherwise. */
export const templates = {
  'verify-email': ({ sender, email, link, minutes }) =>
    write({
      sender,
      subject: 'Confirm your email address',
      lines: [`Please confirm that ${email} is your address.`],
      action: { label: 'Confirm this address', link },
      notes: [`The link is good for ${duration(minutes)}.`, unasked]
    }),

  'password-reset': ({ sender, email, link, minutes }) =>
    write({
      sender,
      subject: 'Choose a new password',
      lines: [`Somebody, probably you, wants to choose a new password for the account of ${email}.`],
      action: { label: 'Choose a new password', link },
      notes: [`The link is good for ${duration(minutes)}, and once.`, unasked]
    }),

  'password-changed': ({ sender, email, url }) =>
    write({
      sender,
      subject: 'Your password has been changed',
      lines: [
        `The password of the account of ${email} has been changed, and its other devices have been signed out.`
      ],
      notes: [`If it was not you, choose a new password at once: ${url}`]
    }),

  'email-changing': ({ sender, email, newEmail, url }) =>
    write({
      sender,
      subject: 'Your email address is about to change',
      lines: [
        `Somebody who is signed in to the account of ${email} wants to change its address to ${newEmail}.`
      ],
      notes: [
        `Nothing changes until ${newEmail} is confirmed.`,
        `If it was not you, change your password now: ${url}`
      ]
    }),

  'email-changed': ({ sender, oldEmail, newEmail, link, minutes }) =>
    write({
      sender,
      subject: 'Your email address has been changed',
      lines: [`The email address of your account has been changed from ${oldEmail} to ${newEmail}.`],
      ...(link !== undefined &&
        minutes !== undefined && {
          action: { label: 'It was not me: keep the old address', link },
          notes: [
            `The link is good for ${duration(minutes)}. It restores the old address, signs all devices out and removes ` +
              'the password, so that you can choose a new one.'
          ]
        })
    }),

  'already-registered': ({ sender, email, url }) =>
    write({
      sender,
      subject: 'You have an account already',
      lines: [
        `Somebody, probably you, gave ${email} as the address of an account. It belongs to yours already.`
      ],
      notes: [
        `To sign in, or to choose a new password if you have forgotten yours, open ${url}`,
        'If it was not you, you can ignore this mail: nothing has changed.'
      ]
    }),

  'sign-in-code': ({ sender, email, code, minutes }) =>
    write({
      sender,
      subject: 'Your sign-in code',
      lines: [`This code signs you in as ${email}:`],
      code,
      notes: [
        `It is good for ${duration(minutes)}, and once, on the page that asked for it.`,
        'Never tell it to anybody. If you did not ask for it, you can ignore this mail.'
      ]
    }),

  'new-device': ({ sender, email, device, time, url }) =>
    write({
      sender,
      subject: 'A sign-in from a new device',
      lines: [`Somebody signed in to the account of ${email} from ${device}, at ${time}.`],
      notes: [`If it was not you, sign that device out and change your password: ${url}`]
    }),

  'factor-added': ({ sender, email, kind, link, minutes, url }) =>
    write({
      sender,
      subject: 'A second factor has been added',
      lines: [
        `${factorName(kind)} has been added to the account of ${email}: signing in takes it from now on.`
      ],
      ...(link !== undefined && minutes !== undefined
        ? {
            action: { label: 'It was not me: take it back', link },
            notes: [
              `The link is good for ${duration(minutes)}. It removes what was added since, signs all devices out and removes ` +
                'the password, so that you can choose a new one.'
            ]
          }
        : { notes: [`If it was not you, choose a new password at once: ${url}`] })
    }),

  'factor-removed': ({ sender, email, kind, url }) =>
    write({
      sender,
      subject: 'A second factor has been removed',
      lines: [`${factorName(kind)} has been removed from the account of ${email}.`],
      notes: [`If it was not you, choose a new password at once: ${url}`]
    }),

  'recovery-code-used': ({ sender, email, left, url }) =>
    write({
      sender,
      subject: 'A recovery code has been used',
      lines: [
        `A recovery code of the account of ${email} has been used. ${left === 1 ? '1 is' : `${left} are`} left.`
      ],
      notes: [
        `New ones, which take the place of those that are left, are on your account page: ${url}`,
        'If it was not you, choose a new password and make new recovery codes at once.'
      ]
    })
} satisfies MailTemplates

const factorNames: Record<string, string> = {
  totp: 'An app for codes',
  passkey: 'A passkey',
  all: 'Each second factor'
}

const factorName = (kind: string): string => factorNames[kind] ?? `A second factor (${kind})`

const units: [string, number][] = [
  ['day', 24 * 60],
  ['hour', 60],
  ['minute', 1]
]

/** A number of minutes in words: in the largest unit of which it is a multiple. */
export function duration(minutes: number): string {
  const [unit, size] = units.find(([, size]) => minutes % size === 0)!
  const count = minutes / size

  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
