import { createHash } from 'node:crypto'
import type { Device } from '../../../refresh-token/index.js'

const versions = /\d+(?:[._]\d+)*/g

/**
 * Identifies a device by the id that it chose and its program without versions. The id alone could be guessed by others,
 * and an address changes on the way to work.
 */
export function deviceKey({ id = '', userAgent = '' }: Device): string {
  const text = JSON.stringify([id, userAgent.replace(versions, '')])

  return createHash('sha256').update(text).digest('base64url')
}
