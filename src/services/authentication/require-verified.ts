import type { Application } from '../../declarations.js'
import { Unverified, type AccountFields } from '../../accounts/index.js'

/** Refuses to sign in a user whose address has to be verified first. @throws Unverified */
export function requireVerified(app: Application, user: object): void {
  const { emailVerified } = user as AccountFields

  if (!emailVerified && app.get('accounts').verified === 'sign-in') {
    throw new Unverified()
  }
}
