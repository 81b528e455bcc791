import { authenticate } from '@feathersjs/authentication'
import { hooks as schemaHooks } from '@feathersjs/schema'
import type { Application } from '../../declarations.js'
import { authorizePatch } from '../../hooks/authorize-patch.js'
import { hashPassword } from '../../hooks/hash-password.js'
import { limitByAddress } from '../../hooks/limit-attempts.js'
import { refuseWeakPassword } from '../../hooks/refuse-weak-password.js'
import { UserService, getOptions } from './users.class.js'
import { userDocs } from './users.docs.js'
import {
  userDataResolver,
  userDataValidator,
  userExternalResolver,
  userPatchResolver,
  userPatchValidator,
  userQueryResolver,
  userQueryValidator
} from './users.schema.js'

export const users = (app: Application) => {
  app.use('users', new UserService(getOptions(app), app.service('authentication').sessions), {
    methods: ['find', 'get', 'create', 'patch', 'remove'],
    docs: userDocs
  })
  app.service('users').hooks({
    around: {
      all: [schemaHooks.resolveExternal(userExternalResolver)],
      find: [authenticate('jwt')],
      get: [authenticate('jwt')],
      create: [limitByAddress('signUp')],
      patch: [authenticate('jwt')],
      remove: [authenticate('jwt')]
    },
    before: {
      all: [schemaHooks.validateQuery(userQueryValidator), schemaHooks.resolveQuery(userQueryResolver)],
      create: [
        schemaHooks.validateData(userDataValidator),
        schemaHooks.resolveData(userDataResolver),
        refuseWeakPassword(),
        hashPassword()
      ],
      patch: [
        schemaHooks.validateData(userPatchValidator),
        authorizePatch(),
        schemaHooks.resolveData(userPatchResolver),
        refuseWeakPassword(),
        hashPassword()
      ]
    }
  })
}
