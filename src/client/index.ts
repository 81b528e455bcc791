export { RefreshTokenClient } from './refresh-token-client.js'
export type { ClientOptions, Clock, RefreshTokenClientOptions, SessionEndReason } from './options.js'
