import { Type, type Static, type TObject, type TProperties } from '@feathersjs/typebox'
import { durationSetting } from '../refresh-token/configuration-check.js'

/** Where the counts are kept. */
export const rateLimitsCollection = 'rateLimits'

const limit = switchable(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1e9, description: 'write a whole number from 1' }),
    per: durationSetting(1000, '15m')
  },
  'write false, or an object with limit and per, such as {"limit": 10, "per": "15m"}'
)

/** `rateLimit`: how many attempts in which time; `false` for any of it is no limit. */
export const rateLimitSetting = switchable(
  {
    signIn: switchable(
      { account: limit, address: limit },
      'write false, or an object with account and address'
    ),
    signUp: switchable({ address: limit }, 'write false, or an object with address'),
    refresh: switchable({ address: limit }, 'write false, or an object with address')
  },
  'write false, or an object with signIn, signUp and refresh'
)

/** So many attempts in such a time. */
export type Limit = Exclude<Static<typeof limit>, false>

export type RateLimitSettings = Static<typeof rateLimitSetting>

/** An object, or false. Not a union, of which a mistake inside would be told as "neither the one nor the other". */
export function switchable<T extends TProperties>(properties: T, description: string) {
  return Type.Unsafe<Static<TObject<T>> | false>({
    ...Type.Object(properties, { additionalProperties: false }),
    type: ['object', 'boolean'],
    not: { const: true },
    description
  })
}
