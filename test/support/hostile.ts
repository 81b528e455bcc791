import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { Answer } from './rest.js'

/** What is refused is refused as Feathers refuses, and tells nothing of the inside. */
export function assertRefused({ status, body }: Answer, statuses: number[], what: string): void {
  assert.ok(statuses.includes(status), `${what} is answered by ${status}`)
  assert.equal(body?.code, status, what)
  assert.equal(typeof body.name, 'string', what)
  assert.equal(typeof body.message, 'string', what)
  assertDiscreet(body, what)
}

/** Neither a stack nor a path of the sources, nor a hash. */
export function assertDiscreet(body: unknown, what: string): void {
  assert.doesNotMatch(
    JSON.stringify(body) ?? '',
    /node_modules|\.[jt]s:\d|\bat async |argon2id|"stack"/,
    what
  )
}

/** Sends bytes as they are, and reads the status of what comes back: undefined when nothing did. */
export function sendRaw(address: string, bytes: string | Buffer): Promise<number | undefined> {
  const { hostname, port } = new URL(address)

  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let received = ''

    // A server that does not close has said all that it will
    socket.setTimeout(1000, () => socket.destroy())
    socket.on('data', (data) => {
      received += data
      socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1]

      resolve(status === undefined ? undefined : Number(status))
    })
  })
}
