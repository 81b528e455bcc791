import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkedConfiguration, readConfiguration } from '../src/configuration.js'
import { ConfigurationError } from '../src/refresh-token/index.js'
import { merge, type Settings } from './support/app.js'

/** Settings of `authentication`, and of `authentication.refresh-token`. */
const auth = (settings: Settings): Settings => ({ authentication: settings })
const refreshToken = (settings: Settings): Settings => auth({ 'refresh-token': settings })
const jwtOptions = (settings: Settings): Settings => auth({ jwtOptions: settings })

const check = (settings: Settings) => checkedConfiguration(merge(readConfiguration(), settings))

/** The sentence that a wrong setting gets. */
function sentenceFor(settings: Settings): string {
  try {
    check(settings)
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, `${error} is no ConfigurationError`)
    return error.message
  }

  assert.fail(`${JSON.stringify(settings)} is accepted`)
}

// Settings, the key that the sentence begins with, and what else it has to say
const wrong: [Settings, string, RegExp?][] = [
  [{ colour: 'red' }, 'colour', /not a known setting: remove it, or write one of .*port/],
  [{ host: '' }, 'host', /such as "localhost"/],
  [{ host: 1 }, 'host', /is 1:/],
  [{ port: 'abc' }, 'port', /is "abc": write a port, such as 3030/],
  [{ port: -1 }, 'port', /is -1:/],
  [{ port: 65_536 }, 'port', /is 65536:/],
  [{ port: 30.5 }, 'port', /is 30.5:/],
  [{ origins: 'http://localhost' }, 'origins', /write a list of origins/],
  [{ origins: [1] }, 'origins.0', /write an origin/],
  [{ paginate: { default: 0 } }, 'paginate.default', /from 1 to/],
  [{ paginate: { max: '50' } }, 'paginate.max', /from 1 to/],
  [{ paginate: { least: 1 } }, 'paginate.least', /write one of default, max/],
  [{ data: '' }, 'data', /write the folder/],
  [{ mongodb: 'postgres://localhost/x' }, 'mongodb', /such as mongodb:/],
  [{ mongodb: 27017 }, 'mongodb', /such as mongodb:/],
  [{ rateLimit: 'none' }, 'rateLimit', /write /],
  [{ events: { keep: 'ever' } }, 'events.keep', /is "ever": write a duration/],
  [{ events: true }, 'events', /write false, or an object with keep/],
  [{ logLevel: 'loud' }, 'logLevel', /is "loud": write "debug"/],
  [{ metrics: true }, 'metrics', /write false, or an object with port/],
  [{ metrics: {} }, 'metrics.port', /is missing: write a port .*, or a metrics\.token/],
  [{ metrics: { port: '9464x' } }, 'metrics.port', /is "9464x": write a port/],
  [{ metrics: { token: 'hunter2' } }, 'metrics.token', /can not be used: write at least 16/],

  [{ authentication: undefined }, 'authentication', /is missing/],
  [{ authentication: 'jwt' }, 'authentication', /: write an object/],
  [auth({ jwtOption: {} }), 'authentication.jwtOption', /not a known setting: write jwtOptions/],
  [auth({ entity: '' }), 'authentication.entity', /such as "user"/],
  [auth({ service: undefined }), 'authentication.service', /is missing.*such as "users"/],
  [auth({ authStrategies: 'local' }), 'authentication.authStrategies', /write a list of strategy names/],
  [auth({ authStrategies: undefined }), 'authentication.authStrategies', /is missing/],
  [auth({ jwt: { heeder: 'x' } }), 'authentication.jwt.heeder', /not a known setting/],
  [auth({ jwt: 'Bearer' }), 'authentication.jwt', /write /],
  [auth({ entityId: 5 }), 'authentication.entityId', /write /],
  [auth({ local: { usernamefield: 'email' } }), 'authentication.local.usernamefield', /usernameField/],
  [auth({ local: { usernameField: '' } }), 'authentication.local.usernameField', /such as "email"/],
  [auth({ local: 'email' }), 'authentication.local', /write an object/],

  [
    jwtOptions({ subject: 'x' }),
    'authentication.jwtOptions.subject',
    /issuer, audience, algorithm, expiresIn/
  ],
  [jwtOptions({ issuer: '' }), 'authentication.jwtOptions.issuer', /one string/],
  [jwtOptions({ audience: [] }), 'authentication.jwtOptions.audience', /a list of which the first is signed/],
  [
    jwtOptions({ algorithm: 'none' }),
    'authentication.jwtOptions.algorithm',
    /"HS256", "HS384", "HS512", "ES256", "RS256", "RS384", "RS512", "PS256", "PS384" or "PS512"/
  ],
  [jwtOptions({ algorithm: 'RS256' }), 'authentication.secret', /PEM key/],
  [auth({ jwtOptions: 'HS256' }), 'authentication.jwtOptions', /write an object/],

  [auth({ 'refresh-token': 'x' }), 'authentication.refresh-token', /write an object/],
  [refreshToken({ lifetime: '1d' }), 'authentication.refresh-token.lifetime', /not a known setting/],
  [
    refreshToken({ rotation: 'yes' }),
    'authentication.refresh-token.rotation',
    /is "yes": write true or false/
  ],
  [refreshToken({ reuse: 'always' }), 'authentication.refresh-token.reuse', /"device", "user" or "never"/],
  [refreshToken({ reuse: 'user' }), 'authentication.refresh-token.reuse', /rotation.*write "device"/],
  [refreshToken({ maxSessions: 0 }), 'authentication.refresh-token.maxSessions', /from 1 to 1000/],
  [refreshToken({ maxSessions: 1.5 }), 'authentication.refresh-token.maxSessions'],
  [refreshToken({ maxSessions: '20' }), 'authentication.refresh-token.maxSessions'],
  [refreshToken({ strategies: 'local' }), 'authentication.refresh-token.strategies', /write a list/],
  [refreshToken({ strategies: ['magic'] }), 'authentication.refresh-token.strategies', /"magic".*\["jwt"/],
  [refreshToken({ strategies: ['jwt'] }), 'authentication.refresh-token.strategies', /"jwt"/],
  [
    refreshToken({ strategies: ['refresh-token'] }),
    'authentication.refresh-token.strategies',
    /"refresh-token"/
  ],
  [refreshToken({ field: '' }), 'authentication.refresh-token.field', /such as "refreshToken"/],
  [refreshToken({ field: 'refresh token' }), 'authentication.refresh-token.field'],
  [refreshToken({ field: '__proto__' }), 'authentication.refresh-token.field'],
  [refreshToken({ field: 'a.b' }), 'authentication.refresh-token.field'],
  [refreshToken({ cookie: 'yes' }), 'authentication.refresh-token.cookie', /write /],

  ...['accessToken', 'authentication', 'user', 'session', 'strategy', 'device', 'idempotencyKey'].map(
    (field): [Settings, string, RegExp] => [
      refreshToken({ field }),
      'authentication.refresh-token.field',
      new RegExp(`is "${field}".*write another`)
    ]
  )
]

const badDurations = [
  'soon',
  '',
  '15',
  '900',
  '15 parsecs',
  '-5m',
  'm',
  '1e999d',
  '200y',
  -1,
  Infinity,
  NaN,
  null,
  true,
  {}
]
const durations: [string, (value: unknown) => Settings][] = [
  ['authentication.jwtOptions.expiresIn', (expiresIn) => jwtOptions({ expiresIn })],
  ['authentication.refresh-token.expiresIn', (expiresIn) => refreshToken({ expiresIn })],
  ['authentication.refresh-token.maxLifetime', (maxLifetime) => refreshToken({ maxLifetime })],
  ['authentication.refresh-token.leeway', (leeway) => refreshToken({ leeway })]
]

describe('a wrong setting is refused with a sentence', () => {
  for (const [settings, key, more] of wrong) {
    it(JSON.stringify(settings), () => {
      const sentence = sentenceFor(settings)

      // The key, what is wrong, what to write instead
      assert.match(sentence, /^\S+ .+: .+$/)
      assert.ok(sentence.startsWith(`${key} `), sentence)
      assert.match(sentence, more ?? /write /)
    })
  }

  for (const [key, settings] of durations) {
    it(`${key} that is not a duration`, () => {
      for (const value of badDurations) {
        const sentence = sentenceFor(settings(value))

        assert.ok(sentence.startsWith(`${key} is `), sentence)
        assert.match(sentence, /write a duration such as "\d+\w"/)
      }
    })
  }

  it('authentication lives that are shorter than a second', () => {
    for (const [key, settings] of durations.slice(0, 3)) {
      for (const value of [0, '0s', '999ms', 0.5]) {
        assert.ok(sentenceFor(settings(value)).startsWith(`${key} is `))
      }
    }
  })

  it('only one of several mistakes is named', () => {
    assert.doesNotMatch(sentenceFor({ port: 'abc', host: 1, colour: 'red' }), /\n/)
  })
})

describe('a right setting is accepted', () => {
  const right: Settings[] = [
    {},
    { port: 0 },
    { origins: [] },
    { mongodb: 'mongodb+srv://user:password@example.com/moult' },
    jwtOptions({ expiresIn: 900, algorithm: 'HS512' }),
    jwtOptions({ expiresIn: '2 hours', issuer: 'https://example.com', audience: 'api' }),
    refreshToken({ expiresIn: '1s', maxLifetime: '99 years', leeway: 0 }),
    refreshToken({ rotation: false, reuse: 'user' }),
    refreshToken({ reuse: 'never', maxSessions: 1, strategies: [], field: 'refresh_token', cookie: false }),
    auth({ jwt: { header: 'X-Token', schemes: ['Bearer'] } }),
    auth({ parseStrategies: ['jwt'] })
  ]

  for (const settings of right) {
    it(JSON.stringify(settings), () => {
      assert.ok(check(settings))
    })
  }
})

describe('a connection string', () => {
  const urls = [
    'mongo://ada:hunter2@example.com/x',
    'http://ada:hunter2@example.com/x',
    'ada:hunter2@example.com',
    ' mongodb://ada:hunter2@example.com/x'
  ]

  for (const mongodb of urls) {
    it(`is refused without showing its password: ${mongodb}`, () => {
      assert.doesNotMatch(sentenceFor({ mongodb }), /hunter2/)
    })
  }
})
