import type { Application } from '../declarations.js'
import { PasswordHasher } from './hasher.js'
import { Turns } from './turns.js'

// Attempts under way for each hash: while one of them hashes, the others query the database
const attemptsPerHash = 4

/** `app.get('hasher')`, and `app.get('turns')` of the attempts that need a hash, configured by `passwords`. */
export const passwords = (app: Application) => {
  const { concurrency, queue } = app.get('passwords')

  app.set('hasher', new PasswordHasher(app.get('passwords')))
  app.set('turns', new Turns({ concurrency: attemptsPerHash * concurrency, queue }))
}

declare module '../declarations.js' {
  interface Configuration {
    hasher: PasswordHasher
    turns: Turns
  }
}
