import type { Client } from './client.js'
import { onClick, part, setText, setVisible } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { explain, type ServiceError } from './words.js'

/**
 * The form to sign in with a code from a mail: first it takes the email, then the code.
 *
 * @param signIn Signs in
 */
export function mailCode(
  app: Client,
  signIn: (credentials: { strategy: 'email-code'; id: string; code: string }) => Promise<void>
) {
  const form = part<HTMLFormElement>('mail-code')
  const email = form.querySelector<HTMLInputElement>('[name=email]')!
  const code = form.querySelector<HTMLInputElement>('[name=code]')!
  const codes = app.service('sign-in-codes')
  let id: string | undefined // of the mail

  handleForm(form, submit, (error) =>
    error.code === 401 && error.data?.reason === 'invalid'
      ? 'That code is not right.'
      : error.code === 401 && error.data?.reason === 'expired'
        ? 'That code is too old, or was tried too often. Have another one mailed.'
        : explain(error)
  )
  onClick(part('mail-code-again'), () => {
    clear()
    email.focus()
  })

  // The service has no `find`: where it exists, it answers 405 rather than 404
  void codes.find().catch((error: ServiceError) => setVisible(error.code === 405, 'to-mail-code'))

  async function submit(values: Record<string, string>): Promise<void> {
    if (id) {
      await signIn({ strategy: 'email-code', id, code: values.code!.trim() })
    } else {
      id = (await codes.create({ email: values.email! })).id
      show()
      code.focus()
    }
  }

  /** Shows the field whose turn it is. */
  function show(): void {
    const isMailed = id !== undefined

    email.closest<HTMLElement>('.field')!.hidden = isMailed
    code.closest<HTMLElement>('.field')!.hidden = !isMailed
    code.required = isMailed
    setVisible(isMailed, 'mail-code-again')
    setText(isMailed ? 'Continue' : 'Mail me a code', 'mail-code-button')
    setText(
      isMailed
        ? 'If there is an account with that address, a code is on its way. It is good for ten minutes.'
        : 'A code to sign in with is mailed to your address.',
      'mail-code-text'
    )
  }

  function clear(): void {
    id = undefined
    resetForm(form)
    show()
  }

  return { form, clear }
}
