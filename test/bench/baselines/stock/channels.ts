import type { AuthenticationResult } from '@feathersjs/authentication'
import type { Params, RealTimeConnection } from '@feathersjs/feathers'
import type { Application } from './declarations.js'

/** As the generator writes it: all events go to all who are signed in. */
export const channels = (app: Application) => {
  app.on('connection', (connection: RealTimeConnection) => {
    app.channel('anonymous').join(connection)
  })
  app.on('login', (_result: AuthenticationResult, { connection }: Params) => {
    if (connection) {
      app.channel('anonymous').leave(connection)
      app.channel('authenticated').join(connection)
    }
  })
  app.publish(() => app.channel('authenticated'))
}
