import type { AccountChange } from '../../accounts/index.js'
import type { Application } from '../../declarations.js'

const event = 'account changed'

/** Listens to changes of accounts through links in mails. */
export function onAccountChange(app: Application, listener: (change: AccountChange) => void): void {
  app.on(event, listener)
}

export function reportAccountChange(app: Application, change: AccountChange): void {
  app.emit(event, change)
}
