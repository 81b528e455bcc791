import type { HookContext } from '../declarations.js'

/** Before any method: suppresses Feathers' event. */
export const withoutEvent = () => async (context: HookContext) => {
  context.event = null
}
