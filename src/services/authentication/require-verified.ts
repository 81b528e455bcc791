import type { Application } from '../../declarations.js'
import { Unverified } from '../../accounts/index.js'

/** Refuses to sign in a user whose address has to be verified first. @throws Unverified */
export function requireVerified(app: Application, { emailVerified }: { emailVerified?: boolean }): void {
  if (!emailVerified && app.get('accounts').verified === 'sign-in') {
    throw new Unverified()
  }
}
