import type { Client } from './client.js'
import { thisDevice } from './device.js'
import { onClick, part, setText, setVisible } from './dom.js'
import { handleForm, resetForm, showRefusal } from './forms.js'
import { gate, type Challenge } from './gate.js'
import { mailCode } from './mail-code.js'
import type { Passkeys } from './passkeys.js'
import { explain, type ServiceError } from './words.js'

const suggestionLife = 4 * 60_000 // ms: a challenge is good for five minutes

interface Credentials {
  strategy: 'local' | 'passkey' | 'email-code'
  email?: string
  password?: string
}

/** The forms to sign in and sign up. */
export function door(app: Client, browser: Passkeys) {
  const byMail = mailCode(app, signIn)
  const forms = {
    '#sign-in': part<HTMLFormElement>('sign-in'),
    '#sign-up': part<HTMLFormElement>('sign-up'),
    '#mail-code': byMail.form,
    '#forgotten': part<HTMLFormElement>('forgotten')
  }
  const secondStep = gate(app, browser, { over: startOver })
  const cards = [...Object.values(forms), secondStep.card]
  const newPassword = part<HTMLInputElement>('sign-up-password')
  let isOpen = false
  let isWithoutPassword = false
  let typed: string | undefined // the password of the sign-in
  let suggestingAgain: ReturnType<typeof setTimeout>

  handleForm(
    forms['#sign-in'],
    async ({ email = '', password = '' }) => {
      typed = password
      await signIn({ strategy: 'local', email, password })
      offerToStore({ id: email, password })
    },
    explainSignIn
  )
  handleForm(forms['#sign-up'], async ({ name = '', email = '', password = '' }) => {
    const who = { email, ...(name.trim() && { name: name.trim() }) }

    if (isWithoutPassword) {
      await app.service('users').create({ ...who, passkey: await browser.create('sign-up', email) })
      await signInAfterSignUp()
    } else {
      await app.service('users').create({ ...who, password })
      await signIn({ strategy: 'local', email, password })
      offerToStore({ id: email, password })
    }
  })
  handleForm(forms['#forgotten'], async ({ email = '' }) => {
    await app.service('password-resets').create({ email })
    resetForm(forms['#forgotten'])
    setText('If there is an account with that address, a mail with a link is on its way.', 'farewell')
    location.hash = '#sign-in'
  })
  addEventListener('hashchange', () => {
    if (!part('door').hidden) {
      secondStep.close()
      show(true)
    }
  })
  onClick(part('gate-leave'), () => startOver(''))
  onClick(part('with-passkey'), () =>
    signInWithPasskey().catch((error: ServiceError) => showRefusal(forms['#sign-in'], explainPasskey(error)))
  )
  onClick(part('without-password'), () => setWithoutPassword(!isWithoutPassword))

  // The service exists only with mail. It has no `find`, so it then answers 405 rather than 404
  void app
    .service('email-verifications')
    .find()
    .catch(({ code }: ServiceError) => setVisible(code === 405, 'to-forgotten'))
  void offerPasskeys()

  async function offerPasskeys(): Promise<void> {
    const isOffered = await browser.isOffered()

    setVisible(isOffered, 'with-passkey')
    setVisible(isOffered, 'without-password')
  }

  async function signIn(credentials: Credentials & Record<string, unknown>): Promise<void> {
    try {
      await app.authenticate({ ...credentials, device: thisDevice() })
    } catch (error) {
      const { reason, challenge, factors } = (error as ServiceError).data ?? {}

      if (reason === 'factor') {
        secondStep.open({ challenge: challenge!, factors: factors!, device: thisDevice() })
        setText('', 'farewell')
        show(true)
        return
      }
      if (reason === 'unverified' && credentials.email) {
        await app.service('email-verifications').create({ email: credentials.email })
      }

      throw error
    }
  }

  const signInWithPasskey = async () => signIn({ strategy: 'passkey', ...(await browser.use('sign-in')) })

  async function signInAfterSignUp(): Promise<void> {
    try {
      await signInWithPasskey()
    } catch (error) {
      const isUnverified = (error as ServiceError).data?.reason === 'unverified'

      startOver(
        isUnverified
          ? 'Your account is created. Open the link that was mailed to you, and sign in with your passkey.'
          : 'Your account is created. Sign in with your passkey.'
      )
    }
  }

  /** Has the browser suggest passkeys in the field for the email. */
  async function suggest(): Promise<void> {
    clearTimeout(suggestingAgain)

    if (!isOpen || !(await browser.isOffered()) || !(await browser.suggests())) {
      return
    }

    try {
      const ceremony = await app.service('passkey-challenges').create({ purpose: 'sign-in' })

      if (!isOpen) {
        return
      }

      suggestingAgain = setTimeout(() => void suggest(), suggestionLife)

      const chosen = await browser.suggested(ceremony)

      await signIn({ strategy: 'passkey', ...chosen }).catch((error: ServiceError) =>
        showRefusal(forms['#sign-in'], explainPasskey(error))
      )
    } catch {
      // None was chosen, or the button for passkeys was pressed
    }
  }

  function setWithoutPassword(is: boolean): void {
    isWithoutPassword = is
    newPassword.required = !is
    newPassword.closest<HTMLElement>('.field')!.hidden = is
    setVisible(is, 'passkey-hint')
    setText(is ? 'Use a password instead' : 'Use a passkey instead of a password', 'without-password')
  }

  const asked = () => (location.hash in forms ? (location.hash as keyof typeof forms) : '#sign-in')

  /** Shows the second step, if there is one, or else the form that the URL names. */
  function show(focus: boolean): void {
    const card = secondStep.isOpen ? secondStep.card : forms[asked()]
    const title = card.querySelector('h2')!

    cards.forEach((other) => (other.hidden = other !== card))
    document.title = `${title.textContent} · Moult`

    if (focus && secondStep.isOpen) {
      secondStep.focus()
    } else if (focus) {
      title.focus()
    }
  }

  function startOver(why: string): void {
    secondStep.close()
    history.replaceState(null, '', `${location.pathname}#sign-in`)
    setText(why, 'farewell')
    show(true)
  }

  function clear(): void {
    typed = undefined
    secondStep.close()
    setWithoutPassword(false)
    byMail.clear()
    Object.values(forms).forEach(resetForm)
  }

  return {
    /** The password that was typed to sign in, if that was here. */
    get typed(): string | undefined {
      return typed
    },
    /** @param why Why the user, who was signed in, no longer is */
    open(why = ''): void {
      isOpen = true
      clear()
      setText(why, 'farewell')
      show(why !== '')
      void suggest()
    },
    /** Asks for the second step of a sign-in that began elsewhere. */
    openGate(challenge: Challenge): void {
      isOpen = true
      clear()
      secondStep.open(challenge)
      show(true)
    },
    close(): void {
      isOpen = false
      clearTimeout(suggestingAgain)
      browser.stop()
      clear()
      setText('', 'farewell')

      if (location.hash) {
        history.replaceState(null, '', location.pathname)
      }
    }
  }
}

/** A refusal without a reason means a wrong email or password; the service doesn't say which. */
const explainSignIn = (error: ServiceError): string =>
  error.code === 401 && !error.data?.reason ? 'The email or the password is not right.' : explain(error)

const explainPasskey = (error: ServiceError): string =>
  error.code === 401 && ['invalid', 'expired'].includes(error.data?.reason ?? '')
    ? 'That passkey was not accepted. Try again, or use your password.'
    : explain(error)

/** Chromium offers to save a password when a form is submitted. When a script submits it, it has to be told. */
function offerToStore(data: { id: string; password: string }): void {
  const { PasswordCredential } = window as { PasswordCredential?: new (of: typeof data) => Credential }

  if (PasswordCredential) {
    void navigator.credentials.store(new PasswordCredential(data)).catch(() => {})
  }
}
