import { authenticate } from '@feathersjs/authentication'
import { Ajv, hooks as schemaHooks, resolve } from '@feathersjs/schema'
import { Type, getValidator, type Static } from '@feathersjs/typebox'
import type { Application, HookContext } from './declarations.js'

const contentSchema = Type.Object(
  { id: Type.String(), title: Type.String(), text: Type.String() },
  { $id: 'Content', additionalProperties: false }
)
type Content = Static<typeof contentSchema>

const contentResolver = resolve<Content, HookContext>({})
const contentExternalResolver = resolve<Content, HookContext>({})
const contentQuerySchema = Type.Object({}, { $id: 'ContentQuery', additionalProperties: false })
const contentQueryValidator = getValidator(contentQuerySchema, new Ajv({ coerceTypes: true }))
const contentQueryResolver = resolve<Record<string, never>, HookContext>({})

export class ContentService {
  async get(id: string): Promise<Content> {
    return { id, title: 'User board', text: 'You read this because you are signed in.' }
  }
}

/** A custom service with a schema that asks for authentication, as the generator makes one. */
export const content = (app: Application) => {
  app.use('content', new ContentService(), { methods: ['get'] })
  app.service('content').hooks({
    around: {
      all: [
        authenticate('jwt'),
        schemaHooks.resolveExternal(contentExternalResolver),
        schemaHooks.resolveResult(contentResolver)
      ]
    },
    before: {
      all: [schemaHooks.validateQuery(contentQueryValidator), schemaHooks.resolveQuery(contentQueryResolver)]
    }
  })
}
