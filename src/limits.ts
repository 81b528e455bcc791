import { Type, type Static } from '@feathersjs/typebox'
import { durationSetting } from './refresh-token/configuration-check.js'

const count = (description: string) => Type.Integer({ minimum: 1, maximum: 1_000_000, description })

/** `limits`: how much of it one client may take. */
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
    callsPerSocket: count('write how many calls of a socket are answered at once, such as 4')
  },
  {
    additionalProperties: false,
    description:
      'write an object with body, headers, requestTimeout, connections, connectionsPerAddress and callsPerSocket'
  }
)

export type Limits = Static<typeof limitsSetting>
