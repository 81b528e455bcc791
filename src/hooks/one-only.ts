import { MethodNotAllowed } from '@feathersjs/errors'
import type { HookContext } from '../declarations.js'

/** Before `patch`: without an id it would mean all entries. @throws MethodNotAllowed */
export const oneOnly =
  () =>
  async ({ id }: HookContext) => {
    if (id === null) {
      throw new MethodNotAllowed('Can not patch multiple entries')
    }
  }
