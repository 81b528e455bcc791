import type { Application } from '../../declarations.js'
import { ReadyService } from './ready.class.js'
import { readyDocs } from './ready.docs.js'

export const ready = (app: Application) => {
  const { changes } = app.service('authentication').live

  app.use('ready', new ReadyService(app.get('database'), changes), { methods: ['find'], docs: readyDocs })
}
