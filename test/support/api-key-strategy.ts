import { AuthenticationBaseStrategy, type AuthenticationRequest } from '@feathersjs/authentication'
import { BadRequest } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import { ObjectId } from 'mongodb'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Application } from '../../src/declarations.js'
import { Refused, type AuthenticationService } from '../../src/refresh-token/index.js'

/** Makes a key for a user. The answer is the only place where it is ever seen: the database has its hash. */
export async function createApiKey(app: Application, userId: ObjectId): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  const { insertedId } = await apiKeys(app).insertOne({ userId, hash: hashOf(secret).toString('hex') })

  return `${insertedId.toHexString()}.${secret}`
}

/** Signs in with an API key: from a header, or as `{ strategy: 'api-key', apiKey }`. */
export class ApiKeyStrategy extends AuthenticationBaseStrategy {
  declare app: Application
  declare authentication: AuthenticationService

  /** What the headers of a request or a handshake say; null leaves them to the next strategy. */
  async parse({ headers }: IncomingMessage) {
    const apiKey = headers[this.configuration.header]

    return typeof apiKey === 'string' ? { strategy: this.name!, apiKey } : null
  }

  /**
   * @throws BadRequest without a key
   * @throws Refused `invalid`, `revoked`, `disabled`
   */
  async authenticate({ apiKey }: AuthenticationRequest, params: Params) {
    if (typeof apiKey !== 'string') {
      throw new BadRequest('Invalid data', { errors: [{ field: 'apiKey', message: 'must be string' }] })
    }

    const userId = await this.#ownerOf(apiKey)
    const users = await this.app.service('users').getModel()
    const user = await users.findOne({ _id: userId })

    if (!user || user.disabled) {
      throw new Refused(user ? 'disabled' : 'revoked')
    }

    return {
      authentication: { strategy: this.name! },
      user: await this.authentication.presentEntity(user, params)
    }
  }

  async #ownerOf(apiKey: string): Promise<ObjectId> {
    const [id = '', secret = ''] = apiKey.split('.')
    const key = ObjectId.isValid(id) && (await apiKeys(this.app).findOne({ _id: new ObjectId(id) }))

    if (!key || !timingSafeEqual(hashOf(secret), Buffer.from(key.hash, 'hex'))) {
      throw new Refused('invalid')
    }

    return key.userId
  }
}

const apiKeys = (app: Application) => app.get('database').collection('api-keys')

// A secret of 32 random bytes can't be guessed, so the hash may be a fast one
const hashOf = (secret: string) => createHash('sha256').update(secret).digest()
