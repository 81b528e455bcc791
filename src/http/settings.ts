import { Type, type Static } from '@feathersjs/typebox'
import { ConfigurationError } from '../refresh-token/index.js'
import { durationSetting } from '../refresh-token/internal.js'

const count = (description: string) => Type.Integer({ minimum: 1, maximum: 1_000_000, description })

const bytes = (description: string) => Type.Integer({ minimum: 65_536, maximum: 2 ** 40, description })

/** `limits`: the resources that clients may use. */
export const limitsSetting = Type.Object(
  {
    body: Type.Integer({
      minimum: 1024,
      maximum: 100_000_000,
      description: 'write how many bytes a body may have, such as 100000'
    }),
    headers: Type.Integer({
      minimum: 1024,
      maximum: 1_000_000,
      description: 'write how many bytes the headers of a request may have, such as 16384'
    }),
    requestTimeout: durationSetting(1000, '20s'),
    connections: count('write how many connections there may be, such as 10000'),
    connectionsPerAddress: count('write how many connections one address may have, such as 1000'),
    callsPerSocket: count('write how many calls of a socket are answered at once, such as 4'),
    bytesPerConnection: bytes(
      'write how many bytes of packets a connection may leave waiting, such as 1048576'
    ),
    bytesPerAddress: bytes('write how many bytes of packets one address may leave waiting, such as 16777216'),
    readTimeout: durationSetting(1000, '30s')
  },
  {
    additionalProperties: false,
    description:
      'write an object with body, headers, requestTimeout, connections, connectionsPerAddress, callsPerSocket, ' +
      'bytesPerConnection, bytesPerAddress and readTimeout'
  }
)

export type Limits = Static<typeof limitsSetting>

/** @throws ConfigurationError if the memory limits have no room for a message of the permitted size */
export function requireRoom({ body, bytesPerConnection, bytesPerAddress }: Limits): void {
  if (bytesPerConnection < 2 * body) {
    throw new ConfigurationError(
      `limits.bytesPerConnection is ${bytesPerConnection}: write at least ${2 * body}, which is twice limits.body`
    )
  }
  if (bytesPerAddress < bytesPerConnection) {
    throw new ConfigurationError(
      `limits.bytesPerAddress is ${bytesPerAddress}: write at least ${bytesPerConnection}, which is limits.bytesPerConnection`
    )
  }
}
