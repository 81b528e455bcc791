import { StringEnum, Type, type Static, type TObject } from '@feathersjs/typebox'
import { durationSetting } from './check.js'
import { minSecretLength } from '../keys/read-keyrings.js'
import { algorithms } from '../keys/signing-key.js'

/** @internal */
export const secretSetting = Type.String({
  description: `write at least ${minSecretLength} random bytes, such as \`openssl rand -base64 48\` prints`
})

const text = (description: string) => Type.String({ minLength: 1, description })
const nameList = (description: string) => Type.Array(Type.String({ description }), { description })

const audiences = 'write the name of the API, or a list of which the first is signed and each is accepted'

/** `authentication.jwtOptions`: how access tokens are signed. */
const jwtOptionsSchema = Type.Partial(
  Type.Object(
    {
      issuer: text('write the name of this service, one string'),
      audience: Type.Unsafe<string | string[]>({
        type: ['string', 'array'],
        minLength: 1,
        minItems: 1,
        items: text(audiences),
        description: audiences
      }),
      algorithm: StringEnum([...algorithms]),
      expiresIn: durationSetting(1000, '15m'),
      notBefore: durationSetting(0, '0s'),
      // What the generator of Feathers writes. It has no effect: the header is that of RFC 9068
      header: Type.Unsafe<unknown>({
        const: { typ: 'access' },
        description: 'remove it: the header of access tokens is that of RFC 9068'
      })
    },
    { additionalProperties: false }
  ),
  { description: 'write an object with issuer, audience, algorithm and expiresIn' }
)

jwtOptionsSchema.properties.algorithm.description = `write ${algorithms
  .map((name) => `"${name}"`)
  .join(', ')
  .replace(/, (?="[^"]*"$)/, ' or ')}`

/** `authentication.refresh-token` */
const refreshTokenSchema = Type.Object(
  {
    secret: Type.Optional(secretSetting),
    expiresIn: Type.Optional(durationSetting(1000, '30d')),
    maxLifetime: Type.Optional(durationSetting(1000, '180d')),
    rotation: Type.Optional(Type.Boolean({ description: 'write true or false' })),
    leeway: Type.Optional(durationSetting(0, '30s')),
    reuse: Type.Optional(
      Type.Unsafe<'device' | 'user' | 'never'>({
        enum: ['device', 'user', 'never'],
        description: 'write "device", "user" or "never"'
      })
    ),
    maxSessions: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'write a whole number from 1 to 1000' })
    ),
    strategies: Type.Optional(
      nameList('write a list of the strategies whose logins get a refresh token, such as ["local"]')
    ),
    field: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$',
        description: 'write a field name of letters, digits, "_" and "-", such as "refreshToken"'
      })
    ),
    cookie: Type.Optional(Type.Unknown()), // readCookieSettings checks it
    previousTokens: Type.Optional(Type.Boolean({ description: 'write true or false' })),
    stockTokens: Type.Optional(
      Type.Object(
        {
          secret: Type.String({
            minLength: 1,
            description: 'write the secret that Feathers signed access tokens with before'
          }),
          issuer: Type.Optional(text('write the issuer of those tokens, or remove it')),
          audience: Type.Optional(text('write the audience of those tokens, or remove it'))
        },
        {
          additionalProperties: false,
          description: 'write an object with the secret of those tokens, or remove it'
        }
      )
    ),
    cache: Type.Optional(
      Type.Partial(
        Type.Object(
          {
            bytes: Type.Integer({ minimum: 0, description: 'write a number of bytes, such as 67108864' }),
            maxStale: durationSetting(100, '2s')
          },
          { additionalProperties: false }
        ),
        { description: 'write an object with bytes and maxStale' }
      )
    ),
    sessionsField: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$',
        description: 'write the name of a field that the user documents do not have, such as "sessions"'
      })
    ),
    entityCache: Type.Optional(Type.Boolean({ description: 'write true or false' }))
  },
  { additionalProperties: false, description: 'write an object with at least a secret' }
)

/** `authentication.factors` */
const factorsSchema = Type.Object(
  {
    secret: Type.Optional(secretSetting),
    otherSessions: Type.Optional(
      Type.Unsafe<'end' | 'keep'>({
        enum: ['end', 'keep'],
        description: 'write "end" to end the other sessions of a user with the first factor, or "keep"'
      })
    )
  },
  { additionalProperties: false, description: 'write an object with secret and otherSessions' }
)

/** `authentication.oauth`: the providers, each by its name, with the settings of Grant, besides where sign-ins return to. */
const oauthSchema = Type.Object(
  {
    redirect: Type.Optional(text('write the address of a page, such as "https://app.example.com/signed-in"')),
    origins: Type.Optional(nameList('write a list of origins, such as ["https://app.example.com"]')),
    defaults: Type.Optional(
      Type.Object(
        {
          origin: Type.Optional(text('write the origin of this service, such as "https://api.example.com"'))
        },
        { description: 'write an object' }
      )
    )
  },
  {
    additionalProperties: Type.Object(
      {},
      { description: 'write an object with key and secret, as the provider gave them' }
    ),
    description: 'write an object of providers by their names'
  }
)

/** @internal */
export const settingNames = [
  'entity',
  'entityId',
  'service',
  'authStrategies',
  'parseStrategies',
  'secret',
  'keys',
  'jwtOptions',
  'refresh-token',
  'jwt',
  'local',
  'oauth',
  'factors'
]

const authentication = {
  entity: text('write the name of the entity, such as "user"'),
  service: text('write the path of the entity service, such as "users"'),
  entityId: Type.Optional(text('write the name of the field that holds the id, such as "_id"')),
  jwt: Type.Optional(
    Type.Partial(
      Type.Object(
        {
          header: text('write the name of a header, such as "Authorization"'),
          schemes: nameList('write a list of schemes, such as ["Bearer"]')
        },
        { additionalProperties: false }
      ),
      { description: 'write an object with header and schemes' }
    )
  ),
  authStrategies: nameList('write a list of strategy names, such as ["jwt", "local", "refresh-token"]'),
  parseStrategies: Type.Optional(nameList('write a list of strategy names, such as ["jwt"]')),
  secret: Type.Optional(secretSetting),
  keys: Type.Optional(
    Type.String({ minLength: 1, description: 'write the path of a key file, or remove it' })
  ),
  jwtOptions: Type.Optional(jwtOptionsSchema),
  'refresh-token': refreshTokenSchema,
  oauth: Type.Optional(oauthSchema),
  factors: Type.Optional(factorsSchema)
}

/**
 * `authentication`: the settings of Feathers, ours, and whatever the app keeps there, such as a block for a strategy.
 *
 * @internal
 */
export function authenticationSchema() {
  const others = settingNames.map((name) => [name, Type.Optional(Type.Any())])

  return Type.Object(
    { ...Object.fromEntries(others), ...authentication },
    { additionalProperties: true, description: 'write an object' }
  )
}

/** The setting that was probably meant by a name that is none; undefined for a name of the app's own. */
export const meantBy = (name: string): string | undefined =>
  settingNames.includes(name) ? undefined : settingNames.find((known) => isSimilar(name, known))

/** Whether two names differ in their spelling alone, or in one letter of at least five. */
function isSimilar(name: string, known: string): boolean {
  const [a, b] = [name, known].map((text) => text.toLowerCase().replaceAll(/[^a-z]/g, '')) as [string, string]

  return a === b || (Math.min(a.length, b.length) >= 5 && isOneEdit(a, b))
}

/** Whether one letter was added, left out or replaced, or two were swapped. */
function isOneEdit(a: string, b: string): boolean {
  let start = 0
  let end = 0

  while (start < Math.min(a.length, b.length) && a[start] === b[start]) {
    start++
  }
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) {
    end++
  }

  const [inA, inB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  const isSwap = inA.length === 2 && inA === inB.split('').toReversed().join('')

  return isSwap || Math.max(inA.length, inB.length) === 1
}

/** @internal */
export type AuthenticationConfiguration = Static<TObject<typeof authentication>>
