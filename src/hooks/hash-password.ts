import type { HookContext } from '../declarations.js'

/**
 * Hashes `password` in the data, in a hook of its own: what fails in a Feathers resolver comes out as a 400, whatever
 * it was.
 */
export const hashPassword = () => async (context: HookContext) => {
  const { password } = context.data

  if (password !== undefined) {
    context.data = { ...context.data, password: await context.app.get('hasher').hash(password) }
  }
}
