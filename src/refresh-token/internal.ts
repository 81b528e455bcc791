/**
 * What this service uses of the heart beyond its public API. It is not among the package's `exports`. Code outside the
 * heart imports only from here and from `index.js`.
 */
export { requireMoult } from './authentication-service.js'
export { isKnownOrigin } from './cookie/origin.js'
export { doneOnce, durable, isNotPrimary, isUnreachable, reach, unavailable } from './database-errors.js'
export { readDocument, type EntityParams } from './entity/entity-service.js'
export { givenFactor } from './factor-gate.js'
export { readKeyFile, type KeyFileContent } from './keys/key-file.js'
export { signerOf, tokenKinds, type Keyring, type TokenKind } from './keys/keyring.js'
export { keysIn } from './keys/read-keyrings.js'
export {
  algorithms,
  generateKey,
  splitKeys,
  toSigningKey,
  type Algorithm,
  type SigningKey
} from './keys/signing-key.js'
export { endReasonsIndex } from './live/end-reasons.js'
export { deviceOf, deviceSchema } from './sessions/device.js'
export { checkConfiguration, durationSetting } from './settings/check.js'
export { toMilliseconds, type Duration } from './settings/duration.js'
export { ourFactorStrategies, oauthProviders, readSettings } from './settings/settings.js'
export { challengesIndex } from './sessions/challenges.js'
export { factorKinds, factorsOf, withoutFactor, type RemovedFactor } from './sessions/gate.js'
export { SetMap } from './strategies/set-map.js'
export type { RefreshToken } from './tokens/refresh-token.js'
export { fieldErrors, type SchemaError } from './validation.js'
