import { authenticate } from '@feathersjs/authentication'
import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application, HookContext } from '../../declarations.js'
import { limitByAddress } from '../../rate-limits/limit-by-address.js'
import { takeTurn } from '../../hooks/take-turn.js'
import { signUpWithPasskey } from '../../passkeys/index.js'
import { authorizePatch } from './authorize-patch.js'
import { recentIfOwn } from './delicate.js'
import { guardWrite } from './guard-write.js'
import { hashPassword } from './hash-password.js'
import { mailChanges, mailLinks } from './mail-changes.js'
import { askToVerify, hideTaken } from './mail-sign-up.js'
import { refuseWeakPassword } from './refuse-weak-password.js'
import { refuseKnownPasskey, validateNewUser } from './sign-up-with-passkey.js'
import { UserService, getOptions } from './users.class.js'
import { userDocs } from './users.docs.js'
import { userIndexes } from './users.indexes.js'
import {
  userDataResolver,
  userExternalResolver,
  userPatchResolver,
  userPatchValidator,
  userQueryResolver,
  userQueryValidator,
  type User
} from './users.schema.js'

export const users = (app: Application) => {
  const { sessions, settings } = app.service('authentication')

  app.get('database').needIndexes(userIndexes)
  app.use('users', new UserService(getOptions(app), sessions, app.get('database'), settings.sessionsField), {
    methods: ['find', 'get', 'create', 'patch', 'remove'],
    docs: () => userDocs(app.get('passkeys') !== undefined)
  })
  app.service('users').hooks({
    around: {
      all: [schemaHooks.resolveExternal(userExternalResolver)],
      find: [authenticate('jwt')],
      get: [authenticate('jwt')],
      create: [takeTurn(), limitByAddress('signUp'), hideTaken(), refuseKnownPasskey()],
      patch: [authenticate('jwt'), takeTurn(hashes)],
      remove: [authenticate('jwt')]
    },
    before: {
      all: [schemaHooks.validateQuery(userQueryValidator), schemaHooks.resolveQuery(userQueryResolver)],
      create: [
        validateNewUser(),
        schemaHooks.resolveData(userDataResolver),
        refuseWeakPassword(),
        hashPassword(),
        signUpWithPasskey(),
        askToVerify()
      ],
      patch: [
        schemaHooks.validateData(userPatchValidator),
        authorizePatch(),
        schemaHooks.resolveData(userPatchResolver),
        refuseWeakPassword(),
        hashPassword(),
        mailChanges(),
        guardWrite()
      ],
      remove: [recentIfOwn(), guardWrite()]
    },
    after: {
      patch: [mailLinks()]
    }
  })
}

const hashes = ({ data }: HookContext): boolean =>
  data?.password !== undefined || data?.currentPassword !== undefined

declare module '../../declarations.js' {
  interface ServiceTypes {
    users: UserService
  }
}

declare module '@feathersjs/feathers' {
  interface Params {
    /** Who makes the call: set by the `authenticate` hook, without password and sessions. */
    user?: User
  }
}
