import { authenticate } from '@feathersjs/authentication'
import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application } from '../../declarations.js'
import { auditTrail } from './trail/trail.js'
import { EventService } from './events.class.js'
import { eventDocs } from './events.docs.js'
import { eventQueryValidator } from './events.schema.js'

/** The audit trail and the service that reads it; off without the setting `events`. */
export const events = (app: Application) => {
  if (!app.get('events')) {
    return
  }

  app.configure(auditTrail)
  app.use('events', new EventService(app.get('eventStore'), app.get('paginate')), {
    methods: ['find'],
    docs: eventDocs
  })
  app.service('events').hooks({
    around: {
      find: [authenticate('jwt')]
    },
    before: {
      find: [schemaHooks.validateQuery(eventQueryValidator)]
    }
  })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    /** Only with the setting `events`. */
    events: EventService
  }
}
