import type { Params } from '@feathersjs/feathers'
import type { Device } from '../refresh-token/index.js'
import { deviceOf } from '../refresh-token/internal.js'
import { addressGroup } from './client-address.js'

/** The client that makes a call: the user whom it is signed in as, and where it calls from. */
export interface Client {
  userId?: string
  network?: string
  device?: Device
}

/** @param device What the client says of its device; without an id, any might be it */
export function clientOf(params: Params, device?: Device): Client {
  const address = params.ip ?? params.connection?.ip

  return {
    ...(params.user && { userId: String(params.user._id) }),
    ...(address !== undefined && { network: addressGroup(address) }),
    ...(device?.id !== undefined && { device: deviceOf(device, params) })
  }
}
