import * as mongodb from 'mongodb'
import assert from 'node:assert/strict'
import { cp, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isUnreachable } from '../../src/refresh-token/database-errors.js'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson, type Person } from '../support/people.js'
import { restClient } from '../support/rest.js'

type Driver = typeof mongodb

/** The driver once more, as an app has it that depends on another version: all of its classes are others. */
async function loadSecondDriver(folder: string): Promise<Driver> {
  await cp('node_modules/mongodb', join(folder, 'mongodb'), { recursive: true, dereference: true })
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))

  return createRequire(join(folder, 'mongodb', 'package.json'))('./lib/index.js') as Driver
}

describe('a second copy of the driver', () => {
  let folder: string
  let driver: Driver
  let t: TestApp
  let ada: Person

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'moult-driver-')))
    driver = await loadSecondDriver(folder)
    assert.notEqual(driver.MongoError, mongodb.MongoError)
    t = await startApp()
    ada = await newPerson(t)
  })
  after(async () => {
    await t?.stop()
    await rm(folder, { recursive: true })
  })

  it('is recognised by the properties of its errors', () => {
    const steppedDown = new driver.MongoServerError({ message: 'not primary', code: 10107 })
    const repeatable = new driver.MongoServerError({ message: 'try again', code: 1 })

    repeatable.addErrorLabel('RetryableWriteError')

    for (const error of [new driver.MongoNetworkError('closed'), steppedDown, repeatable]) {
      assert.equal(isUnreachable(error), true, String(error))
    }
    for (const error of [new driver.MongoServerError({ message: 'E11000', code: 11000 })]) {
      assert.equal(isUnreachable(error), false, String(error))
    }
  })

  it('whose users can not be reached makes sessions 503, never 500', async () => {
    const client = new driver.MongoClient('mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=50')
    const service = t.app.service('users')
    const model = service.options.Model

    service.options.Model = client.db().collection('users')

    try {
      for (const answer of [
        await restClient(t.address).refresh(ada.refreshToken),
        await ada.ask('GET', '/sessions'),
        await ada.ask('DELETE', `/sessions/${ada.session.id}`)
      ]) {
        assert.deepEqual([answer.status, answer.body.name], [503, 'Unavailable'])
      }
    } finally {
      service.options.Model = model
      await client.close()
    }

    assert.equal((await restClient(t.address).refresh(ada.refreshToken)).status, 201)
  })
})
