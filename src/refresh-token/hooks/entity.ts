import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'

/** In `params`: the entity that `get` is to answer, as it was just read. */
export const knownEntity = Symbol('known entity')

/** Before `get` of the entity service: what was just read is not read again. Its resolvers and other hooks run as ever. */
export const answerKnownEntity = () => async (context: HookContext) => {
  const known = (context.params as Record<symbol, unknown>)[knownEntity]

  if (known) {
    context.result = known
  }
}

/** After the entity service changed entities: whoever asks next is answered what they are now. */
export const forgetEntity =
  ({ live, configuration }: AuthenticationService) =>
  async ({ result }: HookContext) => {
    for (const entity of [result].flat()) {
      live.cache.forget(String(entity[configuration.entityId ?? '_id']))
    }
  }
