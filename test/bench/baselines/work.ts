import { verify } from '@node-rs/argon2'
import jsonwebtoken from 'jsonwebtoken'
import { createSecretKey, randomUUID, type KeyObject } from 'node:crypto'
import { ObjectId, type Collection, type Db } from 'mongodb'

interface Claims {
  sub: string
  sid: string
  jti: string
  prev: string
}

interface Session {
  id: string
  used: string
}

interface User {
  _id: ObjectId
  email: string
  password: string
  sessions: Session[]
}

// As Moult does: what was answered survives the loss of a server
const durable = { writeConcern: { w: 'majority', journal: true } } as const
const accessLife = 900 // s
const refreshLife = 30 * 24 * 3600 // s
const mostSessions = 20
const board = {
  id: 'user',
  title: 'User board',
  text: 'You read this because you are signed in.'
}
const boardText = JSON.stringify(board)

const keyOf = (variable: string): KeyObject => createSecretKey(Buffer.from(process.env[variable]!))

/** What a refresh, a sign-in and an authenticated call can't be without. */
export async function makeWork(db: Db) {
  const users: Collection<User> = db.collection('users')
  const accessKey = keyOf('ACCESS_TOKEN_SECRET')
  const refreshKey = keyOf('REFRESH_TOKEN_SECRET')

  await users.createIndex({ email: 1 }, { unique: true })

  const sign = (claims: object, key: KeyObject, expiresIn: number): string =>
    jsonwebtoken.sign({ ...claims, jti: randomUUID() }, key, { expiresIn })

  const answer = (user: object & { _id: ObjectId }, { id, used, ...session }: Session) => {
    const claims = { sub: String(user._id), sid: id }

    return {
      accessToken: sign(claims, accessKey, accessLife),
      refreshToken: sign({ ...claims, prev: used }, refreshKey, refreshLife),
      user,
      session: { id, ...session }
    }
  }

  return {
    /** One update, one verify, two signs. */
    async refresh({ refreshToken }: { refreshToken: string }) {
      const { sub, sid, jti, prev } = jsonwebtoken.verify(refreshToken, refreshKey) as unknown as Claims
      const now = new Date()
      const user = await users.findOneAndUpdate(
        {
          _id: new ObjectId(sub),
          sessions: { $elemMatch: { id: sid, used: prev, expiresAt: { $gt: now } } }
        },
        {
          $set: { 'sessions.$.used': jti, 'sessions.$.refreshedAt': now, 'sessions.$.expiresAt': expiry(now) }
        },
        {
          ...durable,
          returnDocument: 'after',
          projection: { password: 0, sessions: { $elemMatch: { id: sid } } }
        }
      )

      if (user) {
        const { sessions, ...rest } = user

        return answer(rest, sessions[0]!)
      }
    },

    /** One read, one hash, one update, two signs. */
    async login({ email, password }: { email: string; password: string }) {
      const found = await users.findOne({ email }, { projection: { sessions: 0 } })

      if (found && (await verify(found.password, password))) {
        const now = new Date()
        const session = {
          id: randomUUID(),
          used: randomUUID(),
          createdAt: now,
          refreshedAt: now,
          expiresAt: expiry(now)
        }
        const { password: _password, ...user } = found

        await users.updateOne(
          { _id: found._id },
          { $push: { sessions: { $each: [session], $slice: -mostSessions } } },
          durable
        )

        return answer(user, session)
      }
    },

    verify: (accessToken: string) => jsonwebtoken.verify(accessToken, accessKey) as Claims,

    /** One read. */
    async user(id: string) {
      const user = await users.findOne(
        { _id: new ObjectId(id) },
        { projection: { password: 0, sessions: 0 } }
      )

      return user ?? undefined
    },

    /** The document that is answered to who is signed in, and the same as JSON. */
    board,
    boardText
  }
}

export type Work = Awaited<ReturnType<typeof makeWork>>

const expiry = (now: Date): Date => new Date(now.getTime() + refreshLife * 1000)
