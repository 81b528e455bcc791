import { authenticate } from '@feathersjs/authentication'
import { hooks as schemaHooks } from '@feathersjs/schema'
import { Type } from '@feathersjs/typebox'
import type { Application, HookContext, NextFunction } from '../../declarations.js'
import { getQueryValidator } from '../../validators.js'
import { ContentService } from './content.class.js'
import { contentDocs } from './content.docs.js'

const queryValidator = getQueryValidator(
  Type.Object({}, { $id: 'ContentQuery', additionalProperties: false })
)

export const content = (app: Application) => {
  app.use('content', new ContentService(), { methods: ['find', 'get'], docs: contentDocs })
  app.service('content').hooks({
    around: {
      all: [authenticateIfAsked]
    },
    before: {
      all: [schemaHooks.validateQuery(queryValidator)]
    }
  })
}

const authenticateJwt = authenticate('jwt')

/** Some boards are public, but a token that is presented must be valid. */
const authenticateIfAsked = async (context: HookContext, next: NextFunction) =>
  context.params.authentication ? authenticateJwt(context, next) : next()

declare module '../../declarations.js' {
  interface ServiceTypes {
    content: ContentService
  }
}
