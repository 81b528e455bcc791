import { Koa } from '@feathersjs/koa'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MongoClient } from 'mongodb'
import { Server } from 'socket.io'
import { makeWork, type Work } from './work.js'

// The unavoidable and nothing else, on `node:http` or under Koa: what remains of a call when there is no framework,
// no check of what comes in, no limit and no hook.

interface Answer {
  status: number
  body: object | string
}

const client = await MongoClient.connect(process.env.MONGODB_URL!)
const work = await makeWork(client.db())
const server = createServer(process.argv[2] === 'koa' ? underKoa() : onHttp())

serveSockets()
server.listen(0, '127.0.0.1', () => {
  console.log(`Listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit())

/** Which work a request asks for. */
async function route(request: IncomingMessage): Promise<Answer> {
  if (request.method === 'GET' && request.url === '/content/user') {
    work.verify(bearerOf(request))

    return { status: 200, body: work.boardText }
  }
  if (request.method === 'GET' && request.url!.startsWith('/users/')) {
    work.verify(bearerOf(request))

    const user = await work.user(request.url!.slice('/users/'.length))

    return user ? { status: 200, body: user } : { status: 404, body: '{}' }
  }
  if (request.method === 'GET') {
    return { status: 200, body: '{"status":"ok"}' }
  }

  const { strategy, ...data } = JSON.parse(await textOf(request)) as Parameters<Work['login']>[0] &
    Parameters<Work['refresh']>[0] & { strategy: string }
  const body = strategy === 'local' ? await work.login(data) : await work.refresh(data)

  return body ? { status: 201, body } : { status: 401, body: '{}' }
}

const bearerOf = ({ headers }: IncomingMessage): string => headers.authorization!.slice('Bearer '.length)

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''

  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk as string
  }

  return text
}

function onHttp(): RequestListener {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { status, body } = await route(request)
    const text = typeof body === 'string' ? body : JSON.stringify(body)

    response.writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(text)
    })
    response.end(text)
  }

  return (request, response) => void answer(request, response)
}

function underKoa(): RequestListener {
  const app = new Koa()

  app.use(async (ctx) => {
    const { status, body } = await route(ctx.req)

    ctx.status = status
    ctx.type = 'json'
    ctx.body = body
  })

  const answer = app.callback()

  return (request, response) => void answer(request, response)
}

/** The calls of a Feathers client: signing in with an access token, which is then verified at each call. */
function serveSockets(): void {
  new Server(server).on('connection', (socket) => {
    let token = ''

    socket.on('create', (_path: string, { accessToken }: { accessToken: string }, ...rest: unknown[]) => {
      token = accessToken
      work.verify(token)
      acknowledge(rest, work.board)
    })
    socket.on('get', (_path: string, _id: string, ...rest: unknown[]) => {
      work.verify(token)
      acknowledge(rest, work.board)
    })
  })
}

function acknowledge(rest: unknown[], result: unknown): void {
  const callback = rest.at(-1) as (error: null, result: unknown) => void

  callback(null, result)
}
