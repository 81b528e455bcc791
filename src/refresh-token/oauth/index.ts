export { oauth } from './oauth.js'
export { OAuthStrategy, idOf } from './oauth-strategy.js'
