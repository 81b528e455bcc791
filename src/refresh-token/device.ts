import type { Params } from '@feathersjs/feathers'
import { Type, type TObject, type TPartial, type TString } from '@feathersjs/typebox'
import type { Device } from './session.js'

const longestUserAgent = 512 // characters: browsers send a hundred or two

/** What a login may say of its device. */
export const deviceSchema: TPartial<TObject<{ id: TString; name: TString }>> = Type.Partial(
  Type.Object({
    id: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.String({ minLength: 1, maxLength: 100 })
  }),
  { additionalProperties: false }
)

/** What is known of the device that asks: its own words, and what is seen. */
export function deviceOf(device: Device | undefined, { headers, ip }: Params): Device {
  const userAgent = headers?.['user-agent']

  return {
    ...device,
    ...(typeof userAgent === 'string' && { userAgent: userAgent.slice(0, longestUserAgent) }),
    ...(typeof ip === 'string' && { ip })
  }
}
