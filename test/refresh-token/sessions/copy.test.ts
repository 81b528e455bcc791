import { getDispatch, setDispatch } from '@feathersjs/schema'
import { Binary, Code, Decimal128, ObjectId, UUID } from 'mongodb'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { copyOf, isCopyable } from '../../../src/refresh-token/sessions/copy.js'

class Money {
  cents = 5
}

/** Whatever a document or its service may hold that can be changed in place, with how. */
const changes: [name: string, value: any, change: (value: any) => unknown][] = [
  ['an object', { a: 1 }, (value) => (value.a = 2)],
  ['a list', [1, 2], (value) => value.push(3)],
  ['a date', new Date(0), (value) => value.setFullYear(2100)],
  ['a buffer', Buffer.from([1]), (value) => (value[0] = 2)],
  ['an array of bytes', new Uint8Array([1]), (value) => (value[0] = 2)],
  ['binary data', new Binary(Buffer.from([1])), (value) => (value.buffer[0] = 2)],
  ['a UUID', new UUID('0198c5f0-0000-7000-8000-000000000000'), (value) => (value.buffer[0] = 9)],
  ['a decimal', Decimal128.fromString('1.5'), (value) => (value.bytes[0] = 9)],
  ['code', new Code('f()', { a: 1 }), (value) => (value.scope.a = 2)],
  ['a map', new Map([['a', { b: 1 }]]), (value) => (value.get('a').b = 2)],
  ['a set', new Set([1]), (value) => value.add(2)]
]

describe('a copy', () => {
  for (const [name, value, change] of changes) {
    it(`shares nothing that can be changed: ${name}`, () => {
      const stored = { list: [{ value }] }
      const before = copyOf(stored)
      const copy = copyOf(stored)

      assert.deepEqual(copy, stored)
      assert.equal(Object.getPrototypeOf(copy.list[0]!.value), Object.getPrototypeOf(value))
      change(copy.list[0]!.value)
      assert.notDeepEqual(copy, stored)
      assert.deepEqual(stored, before)
      assert.ok(isCopyable(stored))
    })
  }

  it('has an external view of its own', () => {
    const user = { name: 'Ada' }

    setDispatch(user, { since: new Date(0) })

    const view: any = getDispatch(copyOf(user))

    view.since.setFullYear(2100)
    assert.deepEqual(getDispatch(user), { since: new Date(0) })
  })

  it('keeps a field __proto__ a field, from which nothing is inherited', () => {
    const copy = copyOf(JSON.parse('{ "name": "Ada", "__proto__": { "role": "admin" } }'))

    assert.equal(copy.role, undefined)
    assert.deepEqual(Object.keys(copy), ['name', '__proto__'])
  })

  it('shares ids, which are not changed, and what only the app can copy', () => {
    const user = { _id: new ObjectId(), money: new Money(), can: () => true, none: null, age: 36 }
    const copy = copyOf(user)

    assert.equal(copy._id, user._id)
    assert.equal(copy.money, user.money)
    assert.deepEqual(copy, user)
  })

  it('is known to be incomplete', () => {
    const circle: Record<string, unknown> = {}
    const seen = { name: 'Ada' }

    circle.self = circle
    setDispatch(seen, { money: new Money() })

    assert.ok(isCopyable({ _id: new ObjectId(), tags: ['a'], none: null, nothing: {} }))
    for (const value of [{ money: new Money() }, [() => true], circle, seen]) {
      assert.ok(!isCopyable(value))
    }
  })
})
