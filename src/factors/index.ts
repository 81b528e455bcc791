export { factors, type FactorsConfiguration } from './configure.js'
export { Factors, type Added, type FactorsOptions } from './factors.js'
export { RecoveryCodeStrategy, TotpStrategy, type LimitGuesses } from './code-strategy.js'
export type { Caller, Factor, FactorChange, FactorNotices } from './factor.js'
