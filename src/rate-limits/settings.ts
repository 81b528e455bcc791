import { Type, type Static } from '@feathersjs/typebox'
import { durationSetting } from '../refresh-token/internal.js'
import { switchable } from '../settings/switchable.js'

const limit = switchable(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1e9, description: 'write a whole number from 1' }),
    per: durationSetting(1000, '15m')
  },
  'write false, or an object with limit and per, such as {"limit": 10, "per": "15m"}'
)

/** `rateLimit`: how many attempts are allowed in what time. Any part of it can be `false`, for no limit. */
export const rateLimitSetting = switchable(
  {
    signIn: switchable(
      { account: limit, address: limit },
      'write false, or an object with account and address'
    ),
    signUp: switchable({ address: limit }, 'write false, or an object with address'),
    refresh: switchable({ address: limit }, 'write false, or an object with address'),
    mail: Type.Optional(
      switchable(
        { account: limit, address: limit, codes: limit },
        'write false, or an object with account, address and codes'
      )
    ),
    factor: Type.Optional(switchable({ account: limit }, 'write false, or an object with account'))
  },
  'write false, or an object with signIn, signUp, refresh, mail and factor'
)

/** A number of attempts in a time. */
export type Limit = Exclude<Static<typeof limit>, false>

export type RateLimitSettings = Static<typeof rateLimitSetting>
