import { transform } from 'esbuild'
import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import { eventTypes } from '../../src/services/events/trail/event.js'
import { startApp, type TestApp } from '../support/app.js'
import { assertLike, readPage, root, snippet } from '../support/documents.js'
import { newPerson } from '../support/people.js'
import { password, restClient } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { written } from '../support/trail.js'

const folder = join(root, 'node_modules/.cache', `moult-events-${process.pid}`) // inside, so that packages are found

interface Mail {
  to: string
  subject: string
  text: string
}

type Example = { tellOfNewDevices(send: (mail: Mail) => Promise<unknown>): (app: Application) => void }

describe('docs/events.md', () => {
  let t: TestApp
  const mails: Mail[] = []

  before(async () => {
    const file = join(folder, 'example.js')
    const { code } = await transform(snippet('docs/events.md', 'tellOfNewDevices'), { loader: 'ts' })

    await mkdir(folder, { recursive: true })
    await writeFile(file, code)
    const { tellOfNewDevices } = (await import(file)) as Example

    t = await startApp({ configure: tellOfNewDevices(async (mail) => mails.push(mail)) })
  })
  after(async () => {
    await t.stop()
    await rm(folder, { recursive: true })
  })

  it('shows how to send mail of a sign-in from a new device', async () => {
    const ada = await newPerson(t)

    await restClient(t.address).ask('POST', '/authentication', {
      body: { strategy: 'local', email: ada.email, password, device: { id: 'new', name: "Eve's laptop" } }
    })
    const [mail] = await poll(() => (mails.length > 0 ? mails : undefined), 'the mail')

    assert.equal(mail!.to, ada.email)
    assert.match(
      mail!.text,
      /^At 20\S+Z somebody signed in with your password from Eve's laptop at 127\.0\.0\.1\.\n/
    )
    assert.equal(mails.length, 1)
  })

  it('shows a page of events', async () => {
    const ada = await newPerson(t)
    const shown = JSON.parse(snippet('docs/events.md', '"total": 1'))

    await written(t)
    const { body } = await ada.ask('GET', '/events')

    assertLike(body, shown)
    assert.deepEqual({ ...body, data: [] }, { ...shown, data: [] })
    assert.equal(body.data[0].type, shown.data[0].type)
    assert.equal(body.data[0].strategy, shown.data[0].strategy)
  })

  it('lists all types of events', () => {
    for (const type of eventTypes) {
      assert.ok(readPage('docs/events.md').includes(`\`${type}\``), type)
    }
  })
})
