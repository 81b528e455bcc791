import authentication from '@feathersjs/authentication-client'
import { feathers, type Application } from '@feathersjs/feathers'
import socketio from '@feathersjs/socketio-client'
import { io, type Socket } from 'socket.io-client'
import { RefreshTokenClient } from '../../src/client/index.js'

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

export type EventType =
  | 'signed-in'
  | 'new-device'
  | 'sign-in-refused'
  | 'token-reused'
  | 'session-ended'
  | 'password-changed'
  | 'email-changed'
  | 'email-verified'
  | 'email-kept'
  | 'roles-changed'
  | 'user-disabled'
  | 'user-enabled'
  | 'user-deleted'

/** An event of an account. */
export interface AuditEvent {
  _id: string
  type: EventType
  userId?: string
  sessionId?: string
  strategy?: string
  reason?: string
  roles?: Role[]
  by?: string
  device: Device
  createdAt: string
}

export interface Page<T> {
  total: number
  limit: number
  skip: number
  data: T[]
}

interface SessionService {
  find(params?: { query: { userId?: string } }): Promise<Session[]>
  patch(id: string, data: { device: { name: string } }): Promise<Session>
  remove(id: string, params?: { query: { userId?: string } }): Promise<Session>
  remove(id: null, params: { query: { current: false } }): Promise<Session[]>
}

interface UserService {
  find(params: { query: object }): Promise<Page<User>>
  create(data: { email: string; password: string; name?: string }): Promise<User>
  patch(id: string, data: object): Promise<User>
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

interface EmailVerificationService {
  find(): Promise<never>
  create(data: { email?: string }): Promise<object>
  patch(id: string, data: { token: string; password?: string; keep?: true }): Promise<object>
}

export type Client = Application<{
  sessions: SessionService
  users: UserService
  events: EventService
  'password-resets': PasswordResetService
  'email-verifications': EmailVerificationService
}>

/** The part of the answer to a sign-in or refresh that the page uses. */
export interface Login {
  user: User
  authentication: { payload: { exp: number; iat: number; jti: string } }
}

/** The official Feathers client over a socket, with the plug-in that keeps its session. */
export function createClient(): { app: Client; socket: Socket } {
  const socket = io({ transports: ['websocket', 'polling'] })
  const app = feathers() as Client

  app.configure(socketio(socket))
  app.configure(authentication({ Authentication: RefreshTokenClient }))

  return { app, socket }
}
