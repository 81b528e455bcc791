import type { Client, User } from './client.js'
import { onClick, part, setText, setVisible } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { ask, notify, notifyError } from './notices.js'
import { explain } from './words.js'

/** A change with the current password, which is left empty where the account has none. */
const withCurrent = (change: object, currentPassword?: string): object => ({
  ...change,
  ...(currentPassword && { currentPassword })
})

/** The signed-in user's name, email and password. */
export function account(app: Client) {
  const users = app.service('users')
  const profile = part<HTMLFormElement>('profile')
  const password = part<HTMLFormElement>('password')
  const details = part<HTMLDetailsElement>('password-details')
  const emailDetails = part<HTMLDetailsElement>('email-details')
  const deletion = part<HTMLDetailsElement>('deletion')
  const changeEmail = part<HTMLFormElement>('change-email')
  const field = profile.querySelector('input')!
  let user: User | undefined

  users.on('patched', (changed: User) => {
    if (changed._id === user?._id) {
      show(changed)
    }
  })

  handleForm(profile, async ({ name = '' }) => {
    show(await users.patch(user!._id, { name: name.trim() }))
    notify('Your name is saved.')
  })

  handleForm(
    password,
    async ({ currentPassword, password: newPassword }) => {
      await users.patch(user!._id, withCurrent({ password: newPassword }, currentPassword))
      details.open = false
      resetForm(password)
      details.querySelector('summary')!.focus()
      notify('Your password is changed. All other devices are signed out.')
    },
    (error) => (error.code === 403 ? 'The current password is not right.' : explain(error))
  )

  handleForm(
    changeEmail,
    async ({ email, currentPassword }) => {
      const changed = await users.patch(user!._id, withCurrent({ email }, currentPassword))

      emailDetails.open = false
      resetForm(changeEmail)
      emailDetails.querySelector('summary')!.focus()
      show(changed)
      notify(`A mail with a link is on its way to ${changed.pendingEmail ?? changed.email}.`)
    },
    (error) => (error.code === 403 ? 'Your password is not right.' : explain(error))
  )

  onClick(part('mail-again'), async () => {
    await app
      .service('email-verifications')
      .create({})
      .then(() => notify('The mail is on its way.'), notifyError)
  })

  onClick(part('delete-account'), async () => {
    const sure = await ask({
      title: 'Delete your account?',
      text: 'All that belongs to it is gone for good, and all your devices are signed out.',
      yes: 'Delete the account'
    })

    if (sure) {
      await users.remove(user!._id).catch(notifyError)
    }
  })

  /** Shows which address still has to be verified; only with mail. */
  function showProof({ email, emailVerified, pendingEmail }: User): void {
    const text = pendingEmail
      ? `${pendingEmail} takes the place of ${email} once you open the link mailed there.`
      : `${email} is not confirmed: open the link mailed there.`

    emailDetails.hidden = emailVerified === undefined
    setVisible(emailVerified === false || pendingEmail !== undefined, 'unproved')
    setText(text, 'unproved-text')
  }

  function show(shown: User): void {
    const { name = '', email } = shown
    const isUntouched = field.value === (user?.name ?? '')

    user = shown
    setText(name || email, 'who-name')
    setText(name ? `Hello, ${name}.` : 'Hello.', 'greeting')
    setText(email, 'email', part('home'))
    showProof(shown)
    password.querySelector<HTMLInputElement>('[name=username]')!.value = email

    // Keeps what the user is typing
    if (isUntouched || document.activeElement !== field) {
      field.value = name
    }
  }

  return {
    show,
    clear(): void {
      user = undefined
      details.open = false
      emailDetails.open = false
      deletion.open = false
      resetForm(changeEmail)
      resetForm(profile)
      resetForm(password)
    }
  }
}
