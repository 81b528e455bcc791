import type { AddressInfo } from 'node:net'
import { createApp } from './app.js'

// A Feathers 5 app as the generator makes it: Koa, TypeBox, MongoDB, local and jwt, REST and Socket.IO.

const app = await createApp()
const server = await app.listen(0, '127.0.0.1')

server.once('listening', () => {
  console.log(`Listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit())
