export { AuthenticationService, type AuthenticationServiceOptions } from './authentication-service.js'
export { deviceSchema } from './device.js'
export { RefreshTokenStrategy } from './refresh-token-strategy.js'
export { SessionJwtStrategy } from './session-jwt-strategy.js'
export { sessionHooks } from './hooks/session-hooks.js'
export { attachRefreshToken } from './hooks/attach-refresh-token.js'
export { clearRefreshTokenCookie } from './hooks/clear-refresh-token-cookie.js'
export { endSession } from './hooks/end-session.js'
export { refreshTokenCookie } from './hooks/refresh-token-cookie.js'
export { ConfigurationError, Refused, type RefusalReason } from './errors.js'
export type { SessionStore } from './session-store.js'
export type { EndedEvent, RefreshedEvent, SessionEvent, SessionEvents } from './session-events.js'
export { present, type Device, type EndReason, type Session, type SessionRecord } from './session.js'
export type { Settings } from './options.js'
export { movePreviousTokens, type PreviousToken } from './previous-tokens.js'
export type { StreamState, UserChange, UserChanges } from './user-changes.js'
export type { SessionOwner } from './user-documents.js'
export { checkedBy, invalidData, type FieldError } from './validation.js'
export { publicKeySet, type KeySet } from './key-set.js'
export {
  neededTill,
  reportKeys,
  stoppedByFile,
  tokenKinds,
  tokenLife,
  type KeyReport,
  type KeyState,
  type TokenKind
} from './key-life.js'
export { makeKeyFile, rotateKeys, type Rotated, type Rotation } from './key-rotation.js'
export type { SigningKey } from './signing-key.js'
