import type { HookContext } from '../declarations.js'

/** Before any method: suppresses the event of Feathers. */
export const withoutEvent = () => async (context: HookContext) => {
  context.event = null
}
