import { Type, type Static } from '@feathersjs/typebox'
import { ConfigurationError } from '../refresh-token/index.js'
import { checkConfiguration } from '../refresh-token/internal.js'

const schema = Type.Object(
  {
    rpId: Type.String({
      // A domain as browsers write it. They accept no address but localhost
      pattern: '^(localhost|([a-z0-9-]+\\.)+[a-z0-9-]*[a-z][a-z0-9-]*)$',
      description: 'write the domain that passkeys are for, such as "example.com"'
    }),
    rpName: Type.String({
      minLength: 1,
      maxLength: 64, // what authenticators are sure to keep (WebAuthn §6.4.1)
      description: 'write the name that browsers show, such as "Example"'
    }),
    origins: Type.Array(
      Type.String({
        pattern:
          '^(https://[^\\s/*?#@A-Z]+|http://localhost(:\\d+)?|android:apk-key-hash:[A-Za-z0-9_-]{43})$',
        description: 'write the origin of a page or of an Android app, such as "https://app.example.com"'
      }),
      { minItems: 1, description: 'write a list of origins, such as ["https://app.example.com"]' }
    )
  },
  { additionalProperties: false, description: 'write an object with rpId, rpName and origins' }
)

/** `authentication.passkey`: for which pages passkeys are. */
export type PasskeySettings = Static<typeof schema>

/**
 * Checks the settings of passkeys.
 *
 * @param key Where they stand, for error messages
 * @throws ConfigurationError
 */
export function readPasskeySettings(settings: unknown, key: string): PasskeySettings {
  if (settings === undefined) {
    throw new ConfigurationError(
      `${key} is missing, but authStrategies names "passkey": ${schema.description}, or remove it there`
    )
  }

  checkConfiguration(schema, settings, key)

  const { rpId, origins } = settings as PasskeySettings
  const foreign = origins.find((origin) => !origin.startsWith('android:') && !isOf(rpId, origin))

  if (foreign !== undefined) {
    throw new ConfigurationError(
      `${key}.origins names "${foreign}", which is not on ${rpId}, so no browser would use a passkey there: ` +
        'write an origin of that domain, or of one below it'
    )
  }

  return settings as PasskeySettings
}

/** Whether an origin is on that domain or below it: all others are refused by browsers (WebAuthn §5.1.3). */
function isOf(rpId: string, origin: string): boolean {
  const hostname = URL.canParse(origin) ? new URL(origin).hostname : ''

  return hostname === rpId || hostname.endsWith(`.${rpId}`)
}
