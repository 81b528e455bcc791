import type { Params } from '@feathersjs/feathers'
import { Type, type TObject, type TPartial, type TString } from '@feathersjs/typebox'
import type { Device } from './session.js'

const maxUserAgent = 512 // characters: browsers send one or two hundred

/** What a login may say about its device. */
export const deviceSchema: TPartial<TObject<{ id: TString; name: TString }>> = Type.Partial(
  Type.Object({
    id: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.String({ minLength: 1, maxLength: 100 })
  }),
  { additionalProperties: false }
)

/**
 * The device that makes a call, and what is observed of it.
 *
 * @param device What it says about itself; its name alone, if it is text
 */
export function deviceOf(
  device: Device | string | undefined,
  { headers, ip }: Params & { ip?: unknown }
): Device {
  const userAgent = headers?.['user-agent']

  return {
    ...(typeof device === 'string' ? { name: device } : device),
    ...(typeof userAgent === 'string' && { userAgent: userAgent.slice(0, maxUserAgent) }),
    ...(typeof ip === 'string' && { ip })
  }
}

/** What a device says of itself. The rest is observed of each call. */
export const named = ({ id, name }: Device) => ({
  ...(id !== undefined && { id }),
  ...(name !== undefined && { name })
})
