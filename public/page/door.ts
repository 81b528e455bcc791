import type { Client } from './client.js'
import { thisDevice } from './device.js'
import { part, setText, setVisible } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { explain, type ServiceError } from './words.js'

type Credentials = { email: string; password: string }

/** The forms to sign in and sign up. */
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

  // The service exists only with mail. It has no `find`, so it then answers 405 rather than 404
  void app
    .service('email-verifications')
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

  /** Shows the form that the URL names. */
  function open(focus: boolean): void {
    const form = forms[asked()]

    Object.values(forms).forEach((other) => (other.hidden = other !== form))
    document.title = `${form.querySelector('h2')!.textContent} · Moult`

    if (focus) {
      form.querySelector('h2')!.focus()
    }
  }

  return {
    /** @param why Why the user, who was signed in, no longer is */
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

/** A refusal without a reason means a wrong email or password; the service doesn't say which. */
const explainSignIn = (error: ServiceError): string =>
  error.code === 401 && !error.data?.reason ? 'The email or the password is not right.' : explain(error)

/** Chromium offers to save a password when a form is submitted. When a script submits it, it has to be told. */
function offerToStore(data: { id: string; password: string }): void {
  const { PasswordCredential } = window as { PasswordCredential?: new (of: typeof data) => Credential }

  if (PasswordCredential) {
    void navigator.credentials.store(new PasswordCredential(data)).catch(() => {})
  }
}
