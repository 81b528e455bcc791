/** What this service takes of passkeys beyond the public API. It is not among the package's `exports`. */
export { purposes } from './challenges.js'
export { Passkeys, type PasskeyAccount } from './passkeys.js'
export { factorIndex, known, type Passkey } from './passkey-users.js'
export { PasskeyStrategy } from './passkey-strategy.js'
export { readPasskeySettings } from './settings.js'
export { PasskeyChallengeService } from './services/passkey-challenges.js'
export { PasskeyService } from './services/passkeys.js'
export { assertionSchema, registrationSchema, type Assertion } from './webauthn.js'
