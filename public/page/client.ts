import authentication from '@feathersjs/authentication-client'
import { feathers, type Application } from '@feathersjs/feathers'
import socketio from '@feathersjs/socketio-client'
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON
} from '@simplewebauthn/browser'
import { io, type Socket } from 'socket.io-client'
import { RefreshTokenClient } from '../../src/client/index.js'
import type { AuditEvent as StoredEvent, EventType } from '../../src/services/events/trail/event.js'

export interface Device {
  id?: string
  name?: string
  userAgent?: string
  ip?: string
}

/** A session as shown to its owner. */
export interface Session {
  id: string
  current: boolean
  device: Device
  strategy: string
  createdAt: string
  refreshedAt: string
  expiresAt: string
  /** In lists: whether no factor was given in it, though its user has one. */
  withoutFactor?: boolean
}

export type Role = 'user' | 'moderator' | 'admin'

export interface User {
  _id: string
  email: string
  name?: string
  roles: Role[]
  disabled: boolean
  createdAt: string
  /** Only with mail. */
  emailVerified?: boolean
  pendingEmail?: string
}

export type { EventType }

/** An event of an account, as JSON. */
export interface AuditEvent extends Omit<StoredEvent, '_id' | 'createdAt'> {
  _id: string
  createdAt: string
}

export interface Page<T> {
  total: number
  limit: number
  skip: number
  data: T[]
}

/** A factor of the user, or the recovery codes. */
export interface Factor {
  id: string
  kind: string
  name?: string
  createdAt?: string
  usedAt?: string
  /** How many recovery codes are left. */
  left?: number
}

/** What comes with the first factor. */
interface WithCodes {
  recoveryCodes?: string[]
}

/** What a browser is asked for with a passkey. */
export interface Ceremony {
  id: string
  options: PublicKeyCredentialCreationOptionsJSON & PublicKeyCredentialRequestOptionsJSON
}

interface SessionService {
  find(params?: { query: { userId?: string } }): Promise<Session[]>
  patch(id: string, data: { device: { name: string } }): Promise<Session>
  remove(id: string, params?: { query: { userId?: string } }): Promise<Session>
  remove(id: null, params: { query: { current: false } }): Promise<Session[]>
}

interface UserService {
  find(params: { query: object }): Promise<Page<User>>
  create(data: { email: string; password?: string; passkey?: object; name?: string }): Promise<User>
  patch(id: string, data: object): Promise<User>
  remove(id: string): Promise<User>
}

interface EventService {
  find(params: {
    query: { userId?: string; type?: string; $limit: number; $skip: number }
  }): Promise<Page<AuditEvent>>
}

interface PasswordResetService {
  create(data: { email: string }): Promise<object>
  patch(id: string, data: { token: string; password: string }): Promise<object>
}

interface SignInCodeService {
  find(): Promise<never>
  create(data: { email: string }): Promise<{ id: string }>
}

interface EmailVerificationService {
  find(): Promise<never>
  create(data: { email?: string }): Promise<object>
  patch(
    id: string,
    data: { token: string; password?: string; passkey?: object; keep?: true }
  ): Promise<object>
}

interface FactorService {
  find(): Promise<Factor[]>
  create(data: { kind: 'totp' }): Promise<{ id: string; secret: string; uri: string }>
  create(data: { kind: 'recovery-codes' }): Promise<Required<WithCodes>>
  patch(id: string, data: { code: string; name?: string }): Promise<WithCodes>
  remove(id: string): Promise<Factor>
  remove(id: null, params: { query: { userId: string } }): Promise<Factor[]>
}

interface PasskeyChallengeService {
  find(): Promise<never>
  create(data: { purpose: string; challenge?: string }): Promise<Ceremony>
}

interface PasskeyService {
  create(data: { challenge: string; response: object; name: string }): Promise<Factor & WithCodes>
  patch(id: string, data: { name: string }): Promise<Factor>
  remove(id: string): Promise<Factor>
}

export type Client = Application<{
  sessions: SessionService
  users: UserService
  events: EventService
  'password-resets': PasswordResetService
  'sign-in-codes': SignInCodeService
  'email-verifications': EmailVerificationService
  factors: FactorService
  'passkey-challenges': PasskeyChallengeService
  passkeys: PasskeyService
}>

/** The part of the answer to a sign-in or refresh that the page uses. */
export interface Login {
  user: User
  authentication: {
    strategy: string
    payload: { exp: number; iat: number; jti: string }
    /** Whether the user has to choose a new password. */
    newPasswordNeeded?: true
  }
}

/** The official Feathers client over a socket, with the plug-in that keeps its session. */
export function createClient(): { app: Client; socket: Socket } {
  const socket = io({ transports: ['websocket', 'polling'] })
  const app = feathers() as Client

  app.configure(socketio(socket))
  app.configure(authentication({ Authentication: RefreshTokenClient }))

  return { app, socket }
}
