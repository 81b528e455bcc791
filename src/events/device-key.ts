import { createHash } from 'node:crypto'
import type { Device } from '../refresh-token/index.js'

const versions = /\d+(?:[._]\d+)*/g

/**
 * What a device is known by: the id that it gives itself together with the program, whichever version. Not by the id
 * alone, which others may guess, nor by the address, which changes on the way to work.
 */
export function deviceKey({ id = '', userAgent = '' }: Device): string {
  const text = JSON.stringify([id, userAgent.replace(versions, '')])

  return createHash('sha256').update(text).digest('base64url')
}
