import type { Client, Login, User } from './client.js'
import { part } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { explain } from './words.js'

const key = 'moult-new-password' // holds the id of the user who has to choose one

/**
 * The form to choose a new password, where the service asks for one at a sign-in.
 *
 * @param done Called once it is set
 */
export function newPassword(app: Client, { done }: { done: (user: User) => void }) {
  const form = part<HTMLFormElement>('new-password-form')
  const current = form.querySelector<HTMLInputElement>('[name=currentPassword]')!
  const field = current.closest<HTMLElement>('.field')!
  let user: User

  handleForm(
    form,
    async ({ currentPassword, password }) => {
      const changed = await app.service('users').patch(user._id, { currentPassword, password })

      forget()
      done(changed)
    },
    (error) => {
      field.hidden &&= error.code !== 403
      return error.code === 403 ? 'The current password is not right.' : explain(error)
    }
  )

  return {
    /** Whether the user has to choose one. A sign-in tells; after a reload of the page, what it told counts. */
    isNeeded({ user: { _id }, authentication: { strategy, newPasswordNeeded } }: Login): boolean {
      try {
        if (newPasswordNeeded) {
          localStorage.setItem(key, _id)
        } else if (strategy !== 'refresh-token') {
          localStorage.removeItem(key)
        }

        return localStorage.getItem(key) === _id
      } catch {
        return newPasswordNeeded ?? false // the browser stores nothing
      }
    },
    /** @param typed The current password, if it was typed here */
    open(of: User, typed: string | undefined): void {
      user = of
      form.querySelector<HTMLInputElement>('[name=username]')!.value = of.email
      current.value = typed ?? ''
      field.hidden = typed !== undefined
      document.title = `${form.querySelector('h1')!.textContent} · Moult`
    },
    clear: () => resetForm(form)
  }
}

function forget(): void {
  try {
    localStorage.removeItem(key)
  } catch {
    // Nothing is stored
  }
}
