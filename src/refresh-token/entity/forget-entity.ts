import type { HookContext } from '@feathersjs/feathers'
import { entitiesOf } from './hide-sessions.js'

/** After the entity service changed entities: forgets them in memory, so that the next call reads them again. */
export const forgetEntity =
  (forget: (userId: string) => void, idField: () => string) =>
  async ({ id, result }: HookContext) => {
    for (const entity of entitiesOf(result)) {
      forget(String(entity[idField()]))
    }

    forget(String(id))
  }
