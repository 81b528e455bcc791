import type { Client } from './client.js'
import { onClick, part, setText, setVisible } from './dom.js'
import { handleForm, resetForm, showRefusal } from './forms.js'
import type { Passkeys } from './passkeys.js'
import { explain, type ServiceError } from './words.js'

type Purpose = 'password-reset' | 'verify-email' | 'keep-email'

/** The parts of a link from a mail. */
interface MailLink {
  purpose: Purpose
  id: string
  token: string
}

const form = /^#(password-reset|verify-email|keep-email)=([\w-]+)\.([\w-]+)$/

/** Reads the link from the URL and removes it, so that the token stays neither there nor in the history. */
function takeLink(): MailLink | undefined {
  const [, purpose, id, token] = form.exec(location.hash) ?? []

  if (!purpose || !id || !token) {
    return undefined
  }

  history.replaceState(null, '', location.pathname)
  return { purpose: purpose as Purpose, id, token }
}

interface Words {
  title: string
  text: string
  button: string
  /** The label of the field for a password, if one is needed. */
  password?: string
  /** The sentence shown afterwards. */
  done: string
}

const words: Record<Purpose, Words> = {
  'password-reset': {
    title: 'Choose a new password',
    text: 'This signs out all your devices. Then sign in with the new password.',
    button: 'Set the password',
    password: 'New password',
    done: 'Your password is set. Please sign in with it.'
  },
  'verify-email': {
    title: 'Confirm your address',
    text: 'So that you can get back in by mail, should you forget your password.',
    button: 'Confirm this address',
    password: 'Your password',
    done: 'Your address is confirmed.'
  },
  'keep-email': {
    title: 'Keep the old address',
    text:
      'This restores your old address, signs out all devices and removes the password. Then choose a new one with ' +
      '“Forgotten your password?”.',
    button: 'Keep the old address',
    done: 'Your old address is back. Now choose a new password with “Forgotten your password?”.'
  }
}

const refusals: Record<string, string> = {
  invalid: 'This link is no longer valid: it has been used, or a newer one has been mailed.',
  expired: 'This link has expired. Please request another mail.'
}

/** The forms that links in mails open. A link isn't used until the user presses the button. */
export function mailLinks(app: Client, browser: Passkeys, { done }: { done: (sentence: string) => void }) {
  const card = part<HTMLFormElement>('link-form')
  const field = card.querySelector<HTMLInputElement>('input')!
  let link: MailLink | undefined
  let isSignedIn = false
  let hasPasskeys = false

  handleForm(
    card,
    async ({ password = '' }) => {
      const { purpose } = link!

      await use(link!, password)
      done(words[purpose].done)
    },
    explainLink('The password is not right.')
  )
  onClick(part('link-passkey'), () =>
    usePasskey(link!).catch((error: ServiceError) =>
      showRefusal(card, explainLink('That passkey is not one of this account.')(error))
    )
  )
  void findPasskeys()

  async function findPasskeys(): Promise<void> {
    hasPasskeys = await browser.isOffered()
    refill()
  }

  /** For an account without a password. */
  async function usePasskey({ purpose, id, token }: MailLink): Promise<void> {
    const passkey = await browser.use('sign-in')

    await app.service('email-verifications').patch(id, { token, passkey })
    done(words[purpose].done)
  }

  function use({ purpose, id, token }: MailLink, password: string): Promise<unknown> {
    if (purpose === 'password-reset') {
      return app.service('password-resets').patch(id, { token, password })
    }

    const verifications = app.service('email-verifications')

    return purpose === 'keep-email'
      ? verifications.patch(id, { token, keep: true })
      : verifications.patch(id, { token, ...(!isSignedIn && { password }) })
  }

  function fill(): void {
    const { title, text, button, password } = words[link!.purpose]
    const isNew = link!.purpose === 'password-reset'
    const needsPassword = password !== undefined && (isNew || !isSignedIn)

    setText(title, 'link-title')
    setText(text, 'link-text')
    setText(button, 'link-button')
    setText(password ?? '', 'link-label')
    setVisible(needsPassword, 'link-field')
    setVisible(hasPasskeys && needsPassword && !isNew, 'link-passkey')
    field.required = needsPassword
    field.autocomplete = isNew ? 'new-password' : 'current-password'
    document.title = `${title} · Moult`
  }

  function refill(): void {
    if (link) {
      fill()
    }
  }

  return {
    /** Opens the form for the link in the URL; returns whether there was one. */
    open(): boolean {
      link = takeLink() ?? link

      if (link) {
        fill()
      }

      return link !== undefined
    },
    /** Forgets the link. */
    close(): void {
      link = undefined
      resetForm(card)
    },
    /** Sets whether a user is signed in, who then needs no password to verify an address. */
    signedIn(is: boolean): void {
      isSignedIn = is
      refill()
    }
  }
}

/** @param wrong What to say when neither password nor passkey is right */
const explainLink =
  (wrong: string) =>
  (error: ServiceError): string =>
    (error.code === 400 && refusals[error.data?.reason ?? '']) ||
    (error.code === 401 ? wrong : explain(error))
