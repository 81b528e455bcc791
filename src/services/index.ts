import type { Application } from '../declarations.js'
import { content } from './content/content.js'
import { emailVerifications } from './email-verifications/email-verifications.js'
import { events } from './events/events.js'
import { factors } from './factors/factors.js'
import { health } from './health/health.js'
import { mails } from './mails/mails.js'
import { passkeyChallenges } from './passkey-challenges/passkey-challenges.js'
import { passkeys } from './passkeys/passkeys.js'
import { passwordResets } from './password-resets/password-resets.js'
import { ready } from './ready/ready.js'
import { sessions } from './sessions/sessions.js'
import { signInCodes } from './sign-in-codes/sign-in-codes.js'
import { users } from './users/users.js'

export const services = (app: Application) => {
  app.configure(users)
  app.configure(sessions)
  app.configure(mails)
  app.configure(passwordResets)
  app.configure(emailVerifications)
  app.configure(signInCodes)
  app.configure(factors)
  app.configure(passkeys)
  app.configure(passkeyChallenges)
  app.configure(content)
  app.configure(events)
  app.configure(health)
  app.configure(ready)
}
