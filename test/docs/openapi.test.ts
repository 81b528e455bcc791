import { Type } from '@feathersjs/typebox'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withApp } from '../support/app.js'
import { runCode, snippet } from '../support/documents.js'
import { restClient } from '../support/rest.js'

class NoteService {
  async find() {
    return []
  }

  async create(data: object) {
    return data
  }
}

const noteSchema = Type.Object({ text: Type.String() }, { $id: 'Note' })

describe('docs/openapi.md', () => {
  it('shows how to describe a service of your own', () =>
    withApp(
      {
        configure: (app) =>
          void runCode(snippet('docs/openapi.md', 'NoteService'), {
            app,
            NoteService,
            noteQuerySchema: Type.Object({ text: Type.Optional(Type.String()) }),
            noteDataSchema: Type.Pick(noteSchema, ['text'], { $id: 'NoteData' }),
            notePageSchema: Type.Array(Type.Ref(noteSchema), { $id: 'NotePage' }),
            noteSchema
          })
      },
      async ({ address }) => {
        const { paths } = (await restClient(address).ask('GET', '/openapi.json')).body
        const { get, post } = paths['/notes']

        assert.equal(get.summary, 'A page of notes')
        assert.deepEqual(
          get.parameters.map(({ name }: { name: string }) => name),
          ['text']
        )
        assert.deepEqual(Object.keys(post.responses), ['201', '400', '401', '409', '413', '503'])
      }
    ))
})
