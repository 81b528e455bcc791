import { AuthenticationBaseStrategy, type AuthenticationRequest } from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { Type } from '@feathersjs/typebox'
import { ObjectId } from 'mongodb'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Application } from '../../src/declarations.js'
import { Refused, checkedBy, type AuthenticationService } from '../../src/refresh-token/index.js'

const checkRequest = checkedBy(Type.Object({ apiKey: Type.String() }))

/** Creates a key for a user. Show it now, as it can't be read again: the database has only its hash. */
export async function createApiKey(app: Application, userId: ObjectId): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  const { insertedId } = await apiKeys(app).insertOne({ userId, hash: hashOf(secret).toString('hex') })

  return `${insertedId.toHexString()}.${secret}`
}

/** Signs in with an API key: from a header, or as `{ strategy: 'api-key', apiKey }`. */
export class ApiKeyStrategy extends AuthenticationBaseStrategy {
  declare app: Application
  declare authentication: AuthenticationService

  /** Reads the headers of a request or a handshake; null leaves them to the next strategy. */
  async parse({ headers }: IncomingMessage) {
    const apiKey = headers[this.configuration.header]

    return typeof apiKey === 'string' ? { strategy: this.name!, apiKey } : null
  }

  /**
   * @throws BadRequest without a key
   * @throws Refused `invalid`, `revoked`, `disabled`
   */
  async authenticate(request: AuthenticationRequest, params: Params) {
    const { apiKey } = checkRequest(request)
    const user = await this.authentication.findEntity({ _id: await this.#ownerOf(apiKey) })

    if (!user) {
      throw new Refused('revoked')
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

// 32 random bytes can't be guessed, so a fast hash will do
const hashOf = (secret: string) => createHash('sha256').update(secret).digest()
