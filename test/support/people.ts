import { randomUUID } from 'node:crypto'
import type { Role } from '../../src/services/users/roles.js'
import type { TestApp } from './app.js'
import { restClient, type Answer, type Ask } from './rest.js'

/** Someone who has signed up and signed in. */
export interface Person {
  id: string
  email: string
  accessToken: string
  refreshToken: string
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  session: any
  /** Asks with the access token of the first sign-in. */
  ask(method: string, path: string, more?: Ask): Promise<Answer>
  /** Signs in once more: the body of the answer. */
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  signIn(more?: object): Promise<any>
}

/** A new user with a role, signed in. */
export async function newPerson(t: TestApp, role: Role = 'user', more: object = {}): Promise<Person> {
  const client = restClient(t.address)
  const email = `${randomUUID()}@example.com`
  const { _id: id } = await client.signUp({ email })

  if (role !== 'user') {
    // As the command line does: no request makes the first admin
    await t.app.service('users').patch(id, { roles: [role] })
  }

  const signIn = async (more: object = {}) => (await client.signIn(email, more)).body
  const { accessToken, refreshToken, session } = await signIn(more)

  return {
    id,
    email,
    accessToken,
    refreshToken,
    session,
    ask: (method, path, ask = {}) => client.ask(method, path, { token: accessToken, ...ask }),
    signIn
  }
}

/** The user document as it is stored. */
export async function stored(t: TestApp, email: string) {
  const document = await t.db.collection('users').findOne({ email })

  if (!document) {
    throw new Error(`No user with the email ${email} is stored`)
  }

  return document
}

/** The fields that a 400 names. */
export const fieldsOf = ({ body }: Answer): string[] =>
  (body.errors as { field: string }[]).map(({ field }) => field)
