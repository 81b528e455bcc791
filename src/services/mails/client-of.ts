import type { Params } from '@feathersjs/feathers'
import type { Client } from '../../accounts/internal.js'
import { addressGroup } from '../../http/client-address.js'
import type { Device } from '../../refresh-token/index.js'
import { deviceOf } from '../../refresh-token/internal.js'

/** The client that makes a call. @param device What it says of its device */
export function clientOf(params: Params, device?: Device): Client {
  const address = params.ip ?? params.connection?.ip

  return {
    ...(params.user && { userId: String(params.user._id) }),
    ...(address !== undefined && { network: addressGroup(address) }),
    ...(device?.id !== undefined && { device: deviceOf(device, params) })
  }
}
