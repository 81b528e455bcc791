import type { HookContext, NextFunction } from '@feathersjs/feathers'
import type { Client, User } from './client.js'
import { onClick, part } from './dom.js'
import type { Passkeys } from './passkeys.js'
import { proof, type Way } from './proof.js'
import type { ServiceError } from './words.js'

/**
 * Has calls that take a recent sign-in ask for what proves the user, and repeats them. They fail if the user cancels.
 *
 * @param user Who is signed in
 * @param given Called when the user has proved it
 */
export function stepUp(
  app: Client,
  browser: Passkeys,
  { user, given }: { user: () => User | undefined; given: () => void }
): void {
  const dialog = part<HTMLDialogElement>('step-up')
  const step = proof(give)
  let asking: Promise<boolean> | undefined

  part('step-up-cancel').before(step.element)
  onClick(part('step-up-cancel'), () => dialog.close())
  app.hooks({ around: { all: [repeat] } })

  async function repeat(context: HookContext, next: NextFunction): Promise<void> {
    try {
      await next()
    } catch (error) {
      const { reason, factors = [] } = (error as ServiceError).data ?? {}

      if (reason !== 'step-up' || context.path === 'authentication' || !(await ask(factors))) {
        throw error
      }

      context.result = await context.service[context.method](...context.arguments)
    }
  }

  /** Returns whether the user gave what was asked for. */
  const ask = (factors: string[]): Promise<boolean> =>
    (asking ??= open(factors).finally(() => (asking = undefined)))

  function open(factors: string[]): Promise<boolean> {
    step.ask(factors.length > 0 ? factors : ['local'], user()?.email)
    dialog.returnValue = ''
    dialog.showModal()
    step.focus()

    return new Promise((answer) => {
      const closed = () => {
        step.clear()
        answer(dialog.returnValue === 'given')
      }

      dialog.addEventListener('close', closed, { once: true })
    })
  }

  async function give(way: Way, { code = '', password = '' }: Record<string, string>): Promise<void> {
    const data =
      way === 'passkey'
        ? await browser.use('step-up')
        : way === 'local'
          ? { email: user()!.email, password }
          : { code: code.trim() }

    await app.authenticate({ strategy: way, ...data, stepUp: true })
    given()
    dialog.close('given')
  }
}
