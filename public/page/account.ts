import type { Client, User } from './client.js'
import { part, setText } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { notify } from './notices.js'
import { explain } from './words.js'

/** The name and the password of who is signed in. */
export function account(app: Client) {
  const users = app.service('users')
  const profile = part<HTMLFormElement>('profile')
  const password = part<HTMLFormElement>('password')
  const details = part<HTMLDetailsElement>('password-details')
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
    async (values) => {
      const { currentPassword, password: newPassword } = values

      await users.patch(user!._id, { currentPassword, password: newPassword })
      details.open = false
      resetForm(password)
      details.querySelector('summary')!.focus()
      notify('Your password is changed. All other devices are signed out.')
    },
    (error) => (error.code === 403 ? 'The current password is not right.' : explain(error))
  )

  function show(shown: User): void {
    const { name = '', email } = shown
    const isUntouched = field.value === (user?.name ?? '')

    user = shown
    setText(name || email, 'who-name')
    setText(name ? `Hello, ${name}.` : 'Hello.', 'greeting')
    setText(email, 'email', part('home'))
    password.querySelector<HTMLInputElement>('[name=username]')!.value = email

    // What is being typed stays
    if (isUntouched || document.activeElement !== field) {
      field.value = name
    }
  }

  return {
    show,
    clear(): void {
      user = undefined
      details.open = false
      resetForm(profile)
      resetForm(password)
    }
  }
}
