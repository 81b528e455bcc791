import type { Client } from './client.js'
import { thisDevice } from './device.js'
import { part, setText, setVisible } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { explain, type ServiceError } from './words.js'

type Credentials = { email: string; password: string }

/** Signing in and signing up. */
export function door(app: Client) {
  const forms = {
    '#sign-in': part<HTMLFormElement>('sign-in'),
    '#sign-up': part<HTMLFormElement>('sign-up'),
    '#forgotten': part<HTMLFormElement>('forgotten')
  }

  handleForm(forms['#sign-in'], (values) => signIn(values as Credentials), explainSignIn)
  handleForm(forms['#sign-up'], async ({ name = '', email = '', password = '' }) => {
    await app.service('users').create({ email, password, ...(name.trim() && { name: name.trim() }) })
    await signIn({ email, password })
  })
  handleForm(forms['#forgotten'], async ({ email = '' }) => {
    await app.service('password-resets').create({ email })
    resetForm(forms['#forgotten'])
    setText('If there is an account with that address, a mail with a link is on its way.', 'farewell')
    location.hash = '#sign-in'
  })
  addEventListener('hashchange', () => part('door').hidden || open(true))

  /** Whether the service mails: only then does it have such a service, which nobody may list. */
  void app
    .service('password-resets')
    .find()
    .catch(({ code }: ServiceError) => setVisible(code === 405, 'to-forgotten'))

  async function signIn({ email, password }: Credentials): Promise<void> {
    try {
      await app.authenticate({ strategy: 'local', email, password, device: thisDevice() })
    } catch (error) {
      if ((error as ServiceError).data?.reason === 'unverified') {
        await app.service('email-verifications').create({ email })
      }
      throw error
    }
    offerToStore({ id: email, password })
  }

  const asked = () => (location.hash in forms ? (location.hash as keyof typeof forms) : '#sign-in')

  /** Shows the one of the forms that the address names. */
  function open(focus: boolean): void {
    const form = forms[asked()]

    Object.values(forms).forEach((other) => (other.hidden = other !== form))
    document.title = `${form.querySelector('h2')!.textContent} · Moult`

    if (focus) {
      form.querySelector('h2')!.focus()
    }
  }

  return {
    /** @param why What happened, where one has been signed in before */
    open(why = ''): void {
      Object.values(forms).forEach(resetForm)
      setText(why, 'farewell')
      open(why !== '')
    },
    close(): void {
      Object.values(forms).forEach(resetForm)
      setText('', 'farewell')

      if (location.hash) {
        history.replaceState(null, '', location.pathname)
      }
    }
  }
}

/** Without a reason it was the email or the password, and the service does not say which. */
const explainSignIn = (error: ServiceError): string =>
  error.code === 401 && !error.data?.reason ? 'The email or the password is not right.' : explain(error)

/** Chromium offers to keep a password when it sees a form sent; what a script sends has to be pointed out to it. */
function offerToStore(data: { id: string; password: string }): void {
  const { PasswordCredential } = window as { PasswordCredential?: new (of: typeof data) => Credential }

  if (PasswordCredential) {
    void navigator.credentials.store(new PasswordCredential(data)).catch(() => {})
  }
}
