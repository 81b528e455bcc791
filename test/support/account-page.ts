import type { Page } from 'playwright-core'
import { password as usual } from './rest.js'

/** The account page, as a person uses it: by what is written on it. */
export function accountPage(page: Page) {
  const button = (name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' })
  const field = (name: string) => page.getByRole('textbox', { name, exact: true })
  const heading = (name: string | RegExp) => page.getByRole('heading', { name })
  const dialog = page.getByRole('dialog')
  const devices = page.getByRole('region', { name: 'Your devices' }).getByRole('listitem')

  return {
    button,
    field,
    heading,
    dialog,
    /** What is written where two-step sign-in is. */
    security: page.getByRole('region', { name: 'Two-step sign-in' }),
    /** The rows of the list. */
    devices,
    device: (name: string) => devices.filter({ has: page.getByRole('heading', { name }) }),
    /** Sees a sentence, or a part of it. */
    async reads(text: string | RegExp): Promise<void> {
      await page.getByText(text).first().waitFor()
    },
    /** Is signed in, and sees the list. */
    async isHome(): Promise<void> {
      await devices.first().waitFor()
    },
    /** Is to sign in. */
    async isOutside(): Promise<void> {
      await heading('Sign in').waitFor()
    },
    async signIn(email: string, password = usual): Promise<void> {
      await field('Email').fill(email)
      await field('Password').fill(password)
      await button('Sign in').click()
    },
    async signUp(email: string, { name = '', password = usual } = {}): Promise<void> {
      await page.getByRole('link', { name: 'Create an account' }).click()
      await field('Name optional').fill(name)
      await field('Email').fill(email)
      await field('Password').fill(password)
      await button('Create the account').click()
    },
    /** Keeps recovery codes, which are shown. */
    async keepCodes(): Promise<string[]> {
      await heading('Your recovery codes').waitFor()

      const codes = await dialog.getByRole('list').getByRole('listitem').allInnerTexts()

      await page.getByRole('checkbox', { name: 'I have kept them' }).check()
      await button('Done').click()
      await heading('Your recovery codes').waitFor({ state: 'hidden' })
      return codes
    },
    /** What a field is said to be wrong with. */
    async errorOf(name: string): Promise<string> {
      const input = field(name).and(page.locator('[aria-invalid=true]'))

      await input.waitFor()
      return input.evaluate((element: { getAttribute(name: string): string }) =>
        element
          .getAttribute('aria-describedby')
          .split(' ')
          .map((id) => (globalThis as any).document.getElementById(id).textContent)
          .at(0)
      )
    }
  }
}
