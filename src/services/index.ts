import type { Application } from '../declarations.js'
import { content } from './content/content.js'
import { events } from './events/events.js'
import { health } from './health/health.js'
import { ready } from './ready/ready.js'
import { sessions } from './sessions/sessions.js'
import { users } from './users/users.js'

export const services = (app: Application) => {
  app.configure(users)
  app.configure(sessions)
  app.configure(content)
  app.configure(events)
  app.configure(health)
  app.configure(ready)
}
