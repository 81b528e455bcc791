import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { disconnectedInTime, isConnected, socketsOf } from '../support/live.js'
import { moultOn } from '../support/moult.js'
import { newPerson } from '../support/people.js'

describe('moult sessions, on a service that runs', () => {
  let t: TestApp
  let moult: ReturnType<typeof moultOn>
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp()
    moult = moultOn(t)
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  it('list shows the live ones; end ends one or all, at once, and the sockets hear that an admin did it', async () => {
    const ada = await newPerson(t, 'user', { device: { name: 'Laptop' } })
    const laptop = await sockets.ofSession(ada)
    t.clock.advance(1000)

    const phone = await sockets.signedIn(ada, { device: { id: 'phone' } })

    // when they are listed
    const table = await moult(['sessions', 'list', ada.email])
    const listed = JSON.parse((await moult(['sessions', 'list', ada.email, '--json'])).stdout)

    assert.match(
      table.stdout,
      /^id +device +address +strategy +since \(UTC\) +refreshed +expires\n\S+ +phone .*\n\S+ +Laptop .*$/
    )
    assert.deepEqual(Object.keys(listed[0]), [
      'id',
      'device',
      'strategy',
      'createdAt',
      'refreshedAt',
      'expiresAt'
    ])
    assert.deepEqual(
      listed.map(({ id }: { id: string }) => id),
      [phone.login.session.id, ada.session.id]
    )

    // when one is ended
    const one = await moult(['sessions', 'end', ada.email, ada.session.id])

    assert.deepEqual([one.code, one.stdout], [0, '1 session has ended'])
    assert.equal((await laptop.next('sessions removed')).reason, 'admin')
    await disconnectedInTime(laptop)
    assert.ok(isConnected(phone))
    assert.equal((await ada.ask('GET', '/sessions')).body.data.reason, 'revoked')

    // and again
    const again = await moult(['sessions', 'end', ada.email, ada.session.id])

    assert.equal(again.code, 1)
    assert.match(again.stderr, /^\S+ has no live session \S+: see `moult sessions list .*`$/)

    // and the rest
    const rest = await moult(['sessions', 'end', ada.email, '--all', '--json'])

    assert.deepEqual(
      JSON.parse(rest.stdout).map(({ id }: { id: string }) => id),
      [phone.login.session.id]
    )
    await phone.next('sessions removed') // of the laptop
    assert.equal((await phone.next('sessions removed')).id, phone.login.session.id)
    await disconnectedInTime(phone)
  })
})
