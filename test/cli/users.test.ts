import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { disconnectedInTime, socketsOf } from '../support/live.js'
import { moultAtTerminal, moultOn } from '../support/moult.js'
import { newPerson, stored, type Person } from '../support/people.js'
import { password as goodPassword, restClient } from '../support/rest.js'
import { noteSecrets } from '../support/log.js'

const newPassword = 'staple battery horse'

describe('moult users, on a service that runs', () => {
  let t: TestApp
  let ada: Person
  let moult: ReturnType<typeof moultOn>

  before(async () => {
    t = await startApp()
    moult = moultOn(t)
    noteSecrets({ password: newPassword })
  })
  beforeEach(async () => {
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const board = async (name: string) => (await ada.ask('GET', `/content/${name}`)).status
  const signIn = async (password: string, email = ada.email) =>
    (await restClient(t.address).authenticate({ strategy: 'local', email, password })).status
  /** A command whose answer is read by a program. */
  const json = async (args: string[], input?: string) => {
    const { code, stdout, stderr } = await moult([...args, '--json'], { ...(input && { input }) })

    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    return JSON.parse(stdout)
  }

  it('role makes the first admin, at once, with the email in any case; ends no session; takes the role away again', async () => {
    assert.equal(await board('admin'), 403)

    const { code, stdout, stderr } = await moult(['users', 'role', ada.email.toUpperCase(), 'admin'])

    assert.equal(await board('admin'), 200)
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: `${ada.email} has the role admin now`, stderr: '' }
    )
    assert.deepEqual((await stored(t, ada.email)).roles, ['admin'])

    assert.deepEqual((await json(['users', 'role', ada.email, 'user'])).roles, ['user'])
    assert.equal(await board('admin'), 403)
    assert.equal((await ada.ask('GET', '/sessions')).body.length, 1)
  })

  it('add creates an account with the password on standard input, a name and a role', async () => {
    const email = `${randomUUID()}@example.com`
    const args = ['users', 'add', email.toUpperCase(), '--name', 'Grace', '--role', 'moderator']
    const user = await json(args, `${newPassword}\r\n`)

    assert.deepEqual(Object.keys(user).sort(), ['_id', 'createdAt', 'disabled', 'email', 'name', 'roles'])
    assert.deepEqual([user.email, user.name, user.roles], [email, 'Grace', ['moderator']])
    assert.equal(await signIn(newPassword, email), 201)
  })

  const refusals: [string, (email: string) => string[], string, RegExp][] = [
    [
      'a password that is guessed first',
      () => ['users', 'add', `${randomUUID()}@example.com`],
      'password123',
      /^Invalid data: 'password' must not be one of the most common$/
    ],
    [
      'two lines',
      () => ['users', 'add', `${randomUUID()}@example.com`],
      `${newPassword}\nmore\n`,
      /^There is more than one line .*$/
    ],
    [
      'an unknown email',
      () => ['users', 'disable', 'nobody@example.com'],
      '',
      /^There is no user with the email nobody@example\.com: .*$/
    ]
  ]

  for (const [what, args, input, sentence] of refusals) {
    it(`fails with a sentence and code 1, and does nothing: ${what}`, async () => {
      const count = await t.db.collection('users').countDocuments()
      const { code, stdout, stderr } = await moult(args(ada.email), { input })

      assert.equal(code, 1)
      assert.equal(stdout, '')
      assert.match(stderr, sentence)
      assert.equal(await t.db.collection('users').countDocuments(), count)
      assert.equal(await signIn(goodPassword), 201)
    })
  }

  it('disable ends the sessions at once, sockets too; enable lets the user sign in', async () => {
    const sockets = socketsOf(() => t.address)

    try {
      const socket = await sockets.signedIn(ada)
      const { stdout } = await moult(['users', 'disable', ada.email])
      const ends = [await socket.next('sessions removed'), await socket.next('sessions removed')]

      assert.equal(stdout, `${ada.email} is disabled, and all its sessions have ended`)
      assert.deepEqual(
        ends.map(({ reason }) => reason),
        ['disabled', 'disabled']
      )
      await disconnectedInTime(socket)
      assert.equal(await signIn(goodPassword), 401)

      assert.equal((await json(['users', 'enable', ada.email])).disabled, false)
      assert.equal(await signIn(goodPassword), 201)
    } finally {
      sockets.closeAll()
    }
  })

  it('password asks twice without echo, and ends the sessions, which are told why', async () => {
    const sockets = socketsOf(() => t.address)

    try {
      const socket = await sockets.ofSession(ada)
      const terminal = await moultAtTerminal(t, ['users', 'password', ada.email])

      await terminal.type('New password: ', `${newPassword}\r`)
      await terminal.type('Once more: ', `${newPassword}\r`)

      const { seen, code } = await terminal.end()

      assert.equal(code, 0)
      assert.match(seen, /^New password: \r\nOnce more: \r\n\S+ has a new password, .*\r\n$/)
      assert.equal((await socket.next('sessions removed')).reason, 'password')
      assert.deepEqual([await signIn(newPassword), await signIn(goodPassword)], [201, 401])
    } finally {
      sockets.closeAll()
    }
  })

  const changesOfMind: [string, string[], RegExp][] = [
    [
      'two that differ',
      [`${newPassword}\r`, 'another one\r'],
      /The two are not the same: nothing was changed/
    ],
    ['Ctrl-C', [`${newPassword}\x03`], /Interrupted: nothing was changed/]
  ]

  for (const [what, keys, sentence] of changesOfMind) {
    it(`add does nothing after ${what}`, async () => {
      const email = `${randomUUID()}@example.com`
      const terminal = await moultAtTerminal(t, ['users', 'add', email])

      await terminal.type('New password: ', keys[0]!)
      await (keys[1] && terminal.type('Once more: ', keys[1]))

      const { seen, code } = await terminal.end()

      assert.equal(code, 1)
      assert.match(seen, sentence)
      assert.doesNotMatch(seen, /staple|another/)
      assert.equal(await t.db.collection('users').countDocuments({ email }), 0)
    })
  }

  it('list prints a table for people, without control characters, and everything in JSON for programs', async () => {
    const name = 'Eve\u001b[2J\u009b2J\u202e'
    const others = await newPerson(t, 'admin')

    await t.app.service('users').patch(others.id, { name })

    const { stdout } = await moult(['users', 'list', '--role', 'admin', '--limit', '500'])
    const answer = await moult(['users', 'list', '--limit', '2', '--skip', '1', '--json'])
    const { total, limit, skip, data } = JSON.parse(answer.stdout)

    assert.match(stdout, /^email +name +roles +account +since \(UTC\) +id\n/)
    assert.match(
      stdout,
      new RegExp(`^${others.email} +Eve\ufffd\\[2J\ufffd2J\ufffd +admin +enabled +20`, 'm')
    )
    assert.match(stdout, /\n\n1 of 1 users$/)
    assert.doesNotMatch(stdout + answer.stdout, /[^\P{Cc}\n]|\u202e/u)

    assert.equal(total, await t.db.collection('users').countDocuments())
    assert.deepEqual([limit, skip, data.length], [2, 1, 2])
    assert.ok(data[0].email < data[1].email)
    assert.ok(!('password' in data[0]) && !('sessions' in data[0]))
  })
})
