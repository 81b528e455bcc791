import type { Application } from '../../declarations.js'
import { HealthService } from './health.class.js'
import { healthDocs } from './health.docs.js'

export const health = (app: Application) => {
  app.use('health', new HealthService(app.get('database')), { methods: ['find'], docs: healthDocs })
}

declare module '../../declarations.js' {
  interface ServiceTypes {
    health: HealthService
  }
}
