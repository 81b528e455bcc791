import type { HookContext } from '../../declarations.js'

/**
 * Hashes `password` in the data. Not a resolver, because Feathers turns any error in a resolver into a 400.
 */
export const hashPassword = () => async (context: HookContext) => {
  const { password } = context.data

  if (password !== undefined) {
    context.data = { ...context.data, password: await context.app.get('hasher').hash(password) }
  }
}
