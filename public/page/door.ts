import type { Client } from './client.js'
import { thisDevice } from './device.js'
import { part, setText } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { explain, type ServiceError } from './words.js'

type Credentials = { email: string; password: string }

/** Signing in and signing up. */
export function door(app: Client) {
  const forms = { '#sign-in': part<HTMLFormElement>('sign-in'), '#sign-up': part<HTMLFormElement>('sign-up') }

  handleForm(forms['#sign-in'], (values) => signIn(values as Credentials), explainSignIn)
  handleForm(forms['#sign-up'], async ({ name = '', email = '', password = '' }) => {
    await app.service('users').create({ email, password, ...(name.trim() && { name: name.trim() }) })
    await signIn({ email, password })
  })
  addEventListener('hashchange', () => part('door').hidden || open(true))

  async function signIn({ email, password }: Credentials): Promise<void> {
    await app.authenticate({ strategy: 'local', email, password, device: thisDevice() })
    offerToStore({ id: email, password })
  }

  const isSigningUp = () => location.hash === '#sign-up'

  /** Shows the one of both forms that the address names. */
  function open(focus: boolean): void {
    const form = forms[isSigningUp() ? '#sign-up' : '#sign-in']

    Object.values(forms).forEach((other) => (other.hidden = other !== form))
    document.title = `${isSigningUp() ? 'Create an account' : 'Sign in'} · Moult`

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
