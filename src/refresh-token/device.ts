import type { Params } from '@feathersjs/feathers'
import type { Device } from './session.js'

const longestUserAgent = 512 // characters: browsers send a hundred or two

/** What is known of the device that asks: its own words, and what is seen. */
export function deviceOf(device: Device | undefined, { headers, ip }: Params): Device {
  const userAgent = headers?.['user-agent']

  return {
    ...device,
    ...(typeof userAgent === 'string' && { userAgent: userAgent.slice(0, longestUserAgent) }),
    ...(typeof ip === 'string' && { ip })
  }
}
