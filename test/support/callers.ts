import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { roles, type Role } from '../../src/services/users/roles.js'
import type { TestApp } from './app.js'
import { password, restClient } from './rest.js'

export interface Callers {
  /** Where a caller with a role signs in: GET http://127.0.0.1:12345/admin */
  address: string
  stop(): Promise<void>
}

/**
 * Signs callers in, for tests in other languages: answers an access token, and the ids of what there is. Whatever a
 * caller did to the own account in requests before, it is as it was.
 */
export async function startCallers(t: TestApp): Promise<Callers> {
  const { authenticate } = restClient(t.address)
  const hash = await t.app.get('hasher').hash(password)

  const restore = async (email: string, role: Role): Promise<string> => {
    const user = await t.db.collection('users').findOneAndUpdate(
      { email },
      {
        $set: { password: hash, roles: [role], disabled: false },
        $setOnInsert: { name: role, sessions: [], createdAt: new Date() }
      },
      { upsert: true, returnDocument: 'after' }
    )

    return String(user!._id)
  }

  const signIn = async (role: Role) => {
    const email = `${role}@example.com`
    const users = [await restore(email, role), await restore('ada@example.com', 'user')]
    const { body } = await authenticate({ strategy: 'local', email, password })

    return { accessToken: body.accessToken, password, users, sessions: [body.session.id] }
  }

  const server = createServer((request, response) => {
    const role = roles.find((name) => request.url === `/${name}`) ?? 'user'

    void signIn(role).then(
      (caller) => response.end(JSON.stringify(caller)),
      (error: Error) => response.writeHead(500).end(error.message)
    )
  })

  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))

  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => new Promise((done) => server.close(() => done()))
  }
}
