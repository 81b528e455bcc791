import { Agent, request } from 'node:http'
import { setTimeout as after } from 'node:timers/promises'
import { connect, type TestSocket } from '../../support/socket.js'
import { answerCalls } from './calls.js'
import { emailOf, password, type Crowd } from './crowds.js'
import { at } from './figures.js'
import type { Load, Outcome } from './load.js'
import type { Tokens } from './minted.js'

// Drives a service from a process of its own: each of so many sessions asks, waits for the answer, and asks again.

interface Session extends Tokens {
  userId?: string
  socket?: TestSocket
}

// A new one for each run: a service closes connections that were idle meanwhile
let agent = newAgent()
const services = new Map<string, Session[]>()

answerCalls({
  signIn: ({ address, sessions }: { address: string; sessions: number }) => signIn(address, sessions),
  adopt: ({ address, sessions }: { address: string; sessions: Session[] }) => {
    services.set(address, sessions)
  },
  each,
  connect: ({ address, sessions }: { address: string; sessions: number }) => connectAll(address, sessions),
  run,
  disconnect: (address: string) => services.get(address)?.forEach(({ socket }) => socket?.close())
})

/** Signs so many users in, who keep their sessions. */
async function signIn(address: string, count: number): Promise<void> {
  const sessions = services.get(address) ?? []

  agent.destroy()
  agent = newAgent()
  services.set(address, sessions)

  for (let index = sessions.length; index < count; index++) {
    sessions.push(await login(address, 'keeps', index))
  }
}

async function connectAll(address: string, count: number): Promise<void> {
  for (const session of services.get(address)!.slice(0, count)) {
    session.socket ??= await signedInSocket(address, session)
  }
}

async function signedInSocket(address: string, { accessToken }: Session): Promise<TestSocket> {
  const socket = await connect(address)

  await socket.call('create', 'authentication', { strategy: 'jwt', accessToken })
  return socket
}

/** Runs a load for as long as it says, and waits for the last answers. */
async function run({
  kind,
  address,
  sessions,
  duration,
  most = Infinity,
  pause = 0,
  turns = false
}: Load): Promise<Outcome> {
  agent.destroy()
  agent = newAgent()

  const own = services.get(address) ?? []
  const times: number[] = []
  const start = performance.now()
  const end = start + duration

  const loop = async (index: number) => {
    let turn = index

    for (let asked = start; asked < end && times.length < most; asked = performance.now()) {
      await calls[kind](address, index, own[turn]!)
      times.push(performance.now() - asked)

      if (turns) {
        turn = (turn + sessions) % own.length
      }
      if (pause > 0) {
        await after(pause)
      }
    }
  }

  await Promise.all(Array.from({ length: sessions }, (_, index) => loop(index)))

  const seconds = (performance.now() - start) / 1000

  times.sort((a, b) => a - b)

  return { requests: times.length, seconds, p50: at(times, 0.5), p99: at(times, 0.99), worst: at(times, 1) }
}

async function each({ kind, address, sessions }: Omit<Load, 'duration'>): Promise<void> {
  const waiting = [...services.get(address)!.entries()]
  const loop = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      await calls[kind](address, ...next)
    }
  }

  await Promise.all(Array.from({ length: sessions }, loop))
}

const calls: Record<Load['kind'], (address: string, index: number, session: Session) => Promise<unknown>> = {
  async refresh(address, _index, session) {
    const { refreshToken } = session
    const answer = await ask(address, 'POST', '/authentication', {
      body: { strategy: 'refresh-token', refreshToken }
    })

    session.accessToken = answer.accessToken
    session.refreshToken = answer.refreshToken
  },
  read: (address, _index, { accessToken }) => ask(address, 'GET', '/content/user', { accessToken }),
  user: (address, _index, { accessToken, userId }) =>
    ask(address, 'GET', `/users/${userId}`, { accessToken }),
  socket: (_address, _index, { socket }) => socket!.call('get', 'content', 'user', {}),
  login: (address, index) => login(address, 'signs-in', index),
  health: (address) => ask(address, 'GET', '/health')
}

function newAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: Infinity })
}

async function login(address: string, crowd: Crowd, index: number): Promise<Session> {
  const { user, ...tokens } = await ask(address, 'POST', '/authentication', {
    body: { strategy: 'local', email: emailOf(crowd, index), password }
  })

  return { ...tokens, userId: user._id }
}

function ask(
  address: string,
  method: string,
  path: string,
  { accessToken, body }: { accessToken?: string; body?: object } = {}
): Promise<any> {
  const json = body && JSON.stringify(body)
  const headers = {
    ...(accessToken && { Authorization: `Bearer ${accessToken}` }),
    ...(json && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(json) })
  }

  return new Promise((resolve, reject) => {
    const asked = request(`${address}${path}`, { agent, method, headers }, (response) => {
      let text = ''

      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode! < 300) {
          resolve(JSON.parse(text))
        } else {
          reject(new Error(`${method} ${path} at ${address} is answered ${response.statusCode}: ${text}`))
        }
      })
    })

    asked.once('error', reject)
    asked.end(json)
  })
}
