import type { Application } from '../../declarations.js'
import type { FactorChange } from '../../factors/index.js'

const event = 'factor changed'

/** Listens to changes of factors. */
export function onFactorChange(app: Application, listener: (change: FactorChange) => void): void {
  app.on(event, listener)
}

export function reportFactorChange(app: Application, change: FactorChange): void {
  app.emit(event, change)
}
