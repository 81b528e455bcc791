import { feathers } from '@feathersjs/feathers'
import { bodyParser, cors, errorHandler, koa, parseAuthentication, rest, serveStatic } from '@feathersjs/koa'
import socketio from '@feathersjs/socketio'
import { MongoClient } from 'mongodb'
import { authentication } from './authentication.js'
import { channels } from './channels.js'
import { content } from './content.js'
import type { Application, HookContext, NextFunction } from './declarations.js'
import { users } from './users.js'

/** The app, in the order of the generator. */
export async function createApp(): Promise<Application> {
  const app: Application = koa(feathers())
  const client = await MongoClient.connect(process.env.MONGODB_URL!)

  app.set('mongodb', client.db())
  app.set('paginate', { default: 10, max: 50 })
  app.set('authentication', {
    entity: 'user',
    service: 'users',
    secret: process.env.ACCESS_TOKEN_SECRET!,
    refreshSecret: process.env.REFRESH_TOKEN_SECRET!,
    authStrategies: ['jwt', 'local', 'refresh-token'],
    jwtOptions: {
      header: { typ: 'access' },
      audience: 'https://example.com',
      algorithm: 'HS256',
      expiresIn: '1d'
    },
    local: { usernameField: 'email', passwordField: 'password' }
  })

  app.use(cors())
  app.use(serveStatic('public'))
  app.use(errorHandler())
  app.use(parseAuthentication())
  app.use(bodyParser())
  app.configure(rest())
  app.configure(socketio({ cors: { origin: ['http://localhost:3030'] } }))
  app.configure(channels)
  app.configure(authentication)
  app.configure(users)
  app.configure(content)
  app.hooks({ around: { all: [logError] } })

  await client.db().collection('users').createIndex({ email: 1 }, { unique: true })

  return app
}

const logError = async (context: HookContext, next: NextFunction) => {
  try {
    await next()
  } catch (error) {
    console.error((error as Error).stack)

    throw error
  }
}
