import { BadRequest, FeathersError } from '@feathersjs/errors'

/** Refuses a body with invalid JSON, a wrong encoding or an excessive size. @throws BadRequest, or a 413 */
export function unreadableBody(error: Error & { status?: number }): never {
  if (error.status === 413) {
    throw new FeathersError('The request is too large', 'PayloadTooLarge', 413, 'payload-too-large', {})
  }

  throw new BadRequest('The body can not be read')
}
