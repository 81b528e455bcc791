import { BadRequest, FeathersError } from '@feathersjs/errors'

/** Answers a body with wrong JSON, encoding or size with a 4xx. @throws BadRequest, or a 413 */
export function unreadableBody(error: Error & { status?: number }): never {
  if (error.status === 413) {
    throw new FeathersError('The request is too large', 'PayloadTooLarge', 413, 'payload-too-large', {})
  }

  throw new BadRequest('The body can not be read')
}
