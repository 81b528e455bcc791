import type { Application } from '../../declarations.js'
import { ReadyService } from './ready.class.js'
import { readyDocs } from './ready.docs.js'

export const ready = (app: Application) => {
  const { changes } = app.service('authentication').live

  const outbox = app.get('accountsByMail')?.outbox

  app.use('ready', new ReadyService(app.get('database'), changes, outbox), {
    methods: ['find'],
    docs: readyDocs
  })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    ready: ReadyService
  }
}
