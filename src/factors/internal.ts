/** What this service takes of factors beyond the public API. It is not among the package's `exports`. */
export { FactorService, callerOf } from './factor-service.js'
export { factorsIndex, recoveryCodes, type FactorOwner } from './factor.js'
