import { authenticate } from '@feathersjs/authentication'
import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application, HookContext } from '../../declarations.js'
import { oneOnly } from '../../hooks/one-only.js'
import { withoutEvent } from '../../hooks/without-event.js'
import { recheckCaller } from '../../hooks/recheck-caller.js'
import { present, type EndedEvent, type SessionEvent, type SessionEvents } from '../../refresh-token/index.js'
import { SessionService } from './sessions.class.js'
import { sessionDocs } from './sessions.docs.js'
import {
  sessionPatchValidator,
  sessionQueryValidator,
  sessionRemoveQueryValidator
} from './sessions.schema.js'

const events = ['created', 'patched', 'removed'] as const satisfies (keyof SessionEvents)[]

export const sessions = (app: Application) => {
  const store = app.service('authentication').sessions

  app.use('sessions', new SessionService(store), {
    methods: ['find', 'get', 'patch', 'remove'],
    docs: sessionDocs
  })

  const service = app.service('sessions')

  service.hooks({
    around: {
      all: [authenticate('jwt')]
    },
    before: {
      all: [withoutEvent()], // the store emits one for every change, also for those made by this service
      find: [schemaHooks.validateQuery(sessionQueryValidator)],
      get: [schemaHooks.validateQuery(sessionQueryValidator)],
      patch: [
        oneOnly(),
        schemaHooks.validateQuery(sessionQueryValidator),
        schemaHooks.validateData(sessionPatchValidator),
        recheckCaller()
      ],
      remove: [validateRemoveQuery, recheckCaller()]
    }
  })

  for (const event of events) {
    store.on(event, ({ userId, session, by: _by, ...reason }: SessionEvent & Partial<EndedEvent>) => {
      const data = { ...present(session), ...reason }

      service.emit(event, data, { app, service, path: 'sessions', event, result: data, params: { userId } })
    })
  }
}

const forAll = schemaHooks.validateQuery(sessionRemoveQueryValidator)
const forOne = schemaHooks.validateQuery(sessionQueryValidator)

const validateRemoveQuery = async (context: HookContext) => (context.id === null ? forAll : forOne)(context)

declare module '../../declarations.js' {
  interface ServiceTypes {
    sessions: SessionService
  }
}
