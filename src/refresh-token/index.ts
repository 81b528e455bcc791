export { AuthenticationService, type AuthenticationServiceOptions } from './authentication-service.js'
export { RefreshTokenStrategy } from './strategies/refresh-token.js'
export { SessionJwtStrategy } from './strategies/session-jwt.js'
export { sessionHooks } from './hooks/session-hooks.js'
export { attachRefreshToken } from './hooks/attach-refresh-token.js'
export { clearRefreshTokenCookie } from './cookie/clear-refresh-token-cookie.js'
export { endSession } from './hooks/end-session.js'
export { refreshTokenCookie } from './cookie/refresh-token-cookie.js'
export { hideSessions } from './entity/hide-sessions.js'
export { requireFactor, requireRecent, type StepUpOptions } from './hooks/require-recent.js'
export { FactorStrategy, type FactorRequest } from './strategies/factor-strategy.js'
export type { AskedFactor, GivenFactor } from './factor-gate.js'
export { factorFields, type StoredFactor, type UsedFactor } from './sessions/gate.js'
export type { Challenge } from './tokens/challenge.js'
export { ConfigurationError, FactorNeeded, Refused, StepUpNeeded, type RefusalReason } from './errors.js'
export type { SessionStore } from './sessions/store.js'
export type { EndedEvent, RefreshedEvent, SessionEvent, SessionEvents } from './sessions/events.js'
export {
  present,
  type Device,
  type EndReason,
  type ListedSession,
  type Session,
  type SessionRecord
} from './sessions/session.js'
export type { Settings } from './settings/settings.js'
export { movePreviousTokens, type PreviousToken } from './sessions/previous-tokens.js'
export type { StreamState, UserChange, UserChanges } from './live/change-stream.js'
export type { OwnerFilter, SessionOwner } from './sessions/users.js'
export { checkedBy, invalidData, type FieldError } from './validation.js'
export { publicKeySet, type KeySet } from './tokens/jwks.js'
