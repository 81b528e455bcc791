import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkedConfiguration, readConfiguration } from '../../../src/configuration.js'
import { ConfigurationError } from '../../../src/refresh-token/index.js'
import { readSettings } from '../../../src/refresh-token/settings/settings.js'
import { merge } from '../../support/app.js'

const read = (cookie: unknown, production = false) =>
  readSettings(
    {
      entity: 'user',
      service: 'users',
      authStrategies: ['jwt', 'local', 'refresh-token'],
      secret: '4nDfTqY1HsZpUw8kVbJc0LrGmXeEoA6iW2B9',
      'refresh-token': { secret: 'r7QmZ3xNcKd5VtLbPwYh1GfJ8sEaUo0iT4R6', cookie }
    },
    'authentication',
    production
  ).cookie

describe('the setting of the cookie', () => {
  it('is off by default', () => {
    assert.equal(read(undefined), undefined)
    assert.equal(read(false), undefined)
  })

  it('is strict, secure and bound to the authentication path by default', () => {
    for (const production of [false, true]) {
      assert.deepEqual(read({}, production), {
        name: '__Secure-refresh-token',
        path: undefined,
        sameSite: 'strict',
        secure: true,
        domain: undefined
      })
    }
  })

  it('has a name that browsers take without HTTPS where it is not secure', () => {
    assert.equal(read({ secure: false })!.name, 'refresh-token')
  })

  it('has the path that a __Host- name needs', () => {
    for (const name of ['__Host-rt', '__host-rt', '__HOST-rt']) {
      assert.equal(read({ name })!.path, '/')
      assert.equal(read({ name, path: '/' })!.path, '/')
    }
    assert.equal(read({ name: '__Hostess' })!.path, undefined)
  })
})

const whole = 'write false, or an object with any of name, path, sameSite, secure and domain'
const name = 'write a cookie name, such as "__Secure-refresh-token"'
const path = 'write the path of the authentication service as browsers see it, such as "/authentication"'
const domain = 'write a domain such as "example.com", or leave it out, so that no other host gets the cookie'

const mistakes: [unknown, string][] = [
  [true, ` can not be used: ${whole}`],
  ['rt', ` can not be used: ${whole}`],
  [null, ` can not be used: ${whole}`],
  [[], ` can not be used: ${whole}`],
  [
    { httpOnly: false },
    '.httpOnly is not a known setting: remove it, or write one of name, path, sameSite, secure, domain, previous'
  ],
  [{ name: '' }, `.name is "": ${name}`],
  [{ name: 'a b' }, `.name is "a b": ${name}`],
  [{ name: 'a=b' }, `.name is "a=b": ${name}`],
  [{ name: 'a\nb' }, `.name is "a\\nb": ${name}`],
  [{ path: 'authentication' }, `.path is "authentication": ${path}`],
  [{ path: '/; Domain=evil.example' }, `.path is "/; Domain=evil.example": ${path}`],
  [{ sameSite: 'Strict' }, '.sameSite is "Strict": write "strict", "lax" or "none"'],
  [{ secure: 'yes' }, '.secure is "yes": write true or false'],
  [{ domain: 'https://example.com' }, `.domain is "https://example.com": ${domain}`],
  [{ domain: '' }, `.domain is "": ${domain}`],
  ...['__Secure-rt', '__Host-rt', '__secure-rt', '__Http-rt'].map((prefixed): [unknown, string] => [
    { name: prefixed, secure: false },
    `.name is "${prefixed}", which browsers keep only of a secure cookie: write a name without that prefix, or set secure to true`
  ]),
  [
    { sameSite: 'none', secure: false },
    '.sameSite is "none", which browsers take only of a secure cookie: write "strict", or set secure to true'
  ],
  [
    { name: '__Host-rt', path: '/authentication' },
    '.path is "/authentication", but browsers keep "__Host-rt" only with the path "/": write "/", or a name that begins with "__Secure-"'
  ],
  [
    { name: '__Host-rt', domain: 'example.com' },
    '.domain is "example.com", but browsers keep "__Host-rt" only without one: leave it out, or write a name that begins with "__Secure-"'
  ]
]

describe('a wrong setting of the cookie', () => {
  for (const [cookie, sentence] of mistakes) {
    it(`is refused: ${sentence}`, () => {
      assert.throws(
        () => read(cookie),
        new ConfigurationError(`authentication.refresh-token.cookie${sentence}`)
      )
    })
  }

  it('is `secure: false` in production', () => {
    assert.throws(
      () => read({ secure: false }, true),
      new ConfigurationError(
        'authentication.refresh-token.cookie.secure is false, so the cookie would travel without encryption: ' +
          'write true, and serve over HTTPS'
      )
    )
  })
})

describe('the setting origins', () => {
  const check = (origin: unknown) =>
    checkedConfiguration(merge(readConfiguration(), { origins: [origin] })).origins

  for (const origin of [
    'https://app.example.com',
    'http://localhost:3000',
    'http://[::1]:3000',
    'chrome-extension://abc'
  ]) {
    it(`takes ${origin}`, () => {
      assert.deepEqual(check(origin), [origin])
    })
  }

  for (const origin of [
    '*',
    'null',
    '',
    'app.example.com',
    'https://*.example.com',
    'https://app.example.com/',
    'https://App.example.com'
  ]) {
    it(`refuses "${origin}", which no browser sends, or which would mean them all`, () => {
      assert.throws(
        () => check(origin),
        new ConfigurationError(`origins.0 is "${origin}": write an origin, such as "https://app.example.com"`)
      )
    })
  }
})
