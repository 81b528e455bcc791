import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigurationError } from '../../../src/refresh-token/errors.js'
import { readSettings } from '../../../src/refresh-token/settings/settings.js'
import { startApp, type Settings } from '../../support/app.js'
import { leastSettings, settingsWith } from '../../support/settings.js'

const inRefreshToken = (changes: Settings): Settings => ({ 'refresh-token': changes })
const inJwtOptions = (changes: Settings): Settings => ({ jwtOptions: changes })

const hours = 60 * 60_000 // ms
const days = 24 * hours

describe('the settings', () => {
  it('have the defaults of the contract', () => {
    const { accessTokens, refreshTokens, ...settings } = settingsWith()

    assert.deepEqual(settings, {
      accessLife: hours / 4,
      idleLife: 30 * days,
      absoluteLife: 180 * days,
      leeway: 30_000,
      rotation: true,
      reuse: 'device',
      maxSessions: 20,
      previousTokens: false,
      strategies: ['local'],
      field: 'refreshToken',
      cache: { bytes: 64 * 1024 * 1024, maxStale: 2000 },
      sessionsField: 'sessions',
      entityCache: false
    })

    for (const { algorithm, issuer, audience } of [accessTokens, refreshTokens]) {
      assert.deepEqual([algorithm, issuer, audience], ['HS256', 'moult', 'moult'])
    }
  })

  it('take durations as jsonwebtoken does: with a unit, or a number of seconds', () => {
    const { accessLife, idleLife, absoluteLife, leeway } = settingsWith({
      jwtOptions: { expiresIn: 90 },
      'refresh-token': { expiresIn: '2 days', maxLifetime: '1.5h', leeway: 0 }
    })

    assert.deepEqual([accessLife, idleLife, absoluteLife, leeway], [90_000, 2 * days, 1.5 * hours, 0])
  })
})

const duration = (example: string) => `write a duration such as "${example}", or a number of seconds`
const bytes = 'write at least 32 random bytes, such as `openssl rand -base64 48` prints'
const names = 'write a list of strategy names, such as ["jwt", "local", "refresh-token"]'
const audiences = 'write the name of the API, or a list of which the first is signed and each is accepted'
const signIns = 'write a list of the strategies whose logins get a refresh token, such as ["local"]'

// what is wrong, and the sentence that says so after 'authentication.'
const mistakes: [Settings, string][] = [
  [{ entity: '' }, 'entity is "": write the name of the entity, such as "user"'],
  [{ service: undefined }, 'service is missing: write the path of the entity service, such as "users"'],
  [{ authStrategies: undefined }, `authStrategies is missing: ${names}`],
  [{ authStrategies: 'local' }, `authStrategies is "local": ${names}`],
  [{ authStrategies: ['jwt', 7] }, `authStrategies.1 is 7: ${names}`],
  [{ parseStrategies: 'jwt' }, 'parseStrategies is "jwt": write a list of strategy names, such as ["jwt"]'],
  [{ secret: undefined }, `secret is missing: ${bytes}`],
  [{ secret: '' }, `secret is missing: ${bytes}`],
  [{ secret: 12345 }, `secret can not be used: ${bytes}`],
  [{ secret: ['a key', 'another'] }, `secret can not be used: ${bytes}`],
  [{ secret: 'one key,,another' }, 'secret holds an empty secret: separate several secrets by single commas'],
  [{ secret: ' , ' }, 'secret holds an empty secret: separate several secrets by single commas'],
  [
    { secret: 'a, key of refresh tokens' },
    `refresh-token.secret shares a secret with authentication.secret: ${bytes} for each of them`
  ],

  [
    { factors: { secret: 'key of refresh tokens' } },
    `factors.secret shares a secret with authentication.refresh-token.secret: ${bytes} for each of them`
  ],
  [
    { factors: { secret: 'b,key of access tokens' } },
    `factors.secret shares a secret with authentication.secret: ${bytes} for each of them`
  ],
  [{ factors: { secret: 7 } }, `factors.secret can not be used: ${bytes}`],
  [
    { factors: { otherSessions: 'stay' } },
    'factors.otherSessions is "stay": write "end" to end the other sessions of a user with the first factor, or "keep"'
  ],
  [
    { factors: { secrets: 'x' } },
    'factors.secrets is not a known setting: remove it, or write one of secret, otherSessions'
  ],
  [
    { authStrategies: ['jwt', 'local', 'refresh-token', 'recovery-code'] },
    `factors.secret is missing, which the strategy "recovery-code" needs: ${bytes}`
  ],

  [inJwtOptions({ expiresIn: 'soon' }), `jwtOptions.expiresIn is "soon": ${duration('15m')}`],
  [inJwtOptions({ expiresIn: 0.5 }), `jwtOptions.expiresIn is 0.5: ${duration('15m')}`],
  [
    inJwtOptions({ algorithm: 'none' }),
    'jwtOptions.algorithm is "none": write "HS256", "HS384", "HS512", "ES256", "RS256", "RS384", "RS512", "PS256", "PS384" or "PS512"'
  ],
  ...([[], ['a', 7], 7, ''] as unknown[]).map((audience): [Settings, string] => [
    inJwtOptions({ audience }),
    `jwtOptions.audience${Array.isArray(audience) && audience.length > 0 ? '.1 is 7' : ` is ${JSON.stringify(audience)}`}: ${audiences}`
  ]),
  [inJwtOptions({ issuer: '' }), 'jwtOptions.issuer is "": write the name of this service, one string'],
  [
    inJwtOptions({ subject: 'x' }),
    'jwtOptions.subject is not a known setting: remove it, or write one of issuer, audience, algorithm, expiresIn, notBefore, header'
  ],
  [
    { jwtOptions: '15m' },
    'jwtOptions can not be used: write an object with issuer, audience, algorithm and expiresIn'
  ],
  [
    { jwt: { scheme: 'Bearer' } },
    'jwt.scheme is not a known setting: remove it, or write one of header, schemes'
  ],
  [{ jwt: { schemes: 'Bearer' } }, 'jwt.schemes is "Bearer": write a list of schemes, such as ["Bearer"]'],
  [{ jwt: { header: '' } }, 'jwt.header is "": write the name of a header, such as "Authorization"'],
  [{ entityId: 7 }, 'entityId is 7: write the name of the field that holds the id, such as "_id"'],

  [{ 'refresh-token': undefined }, 'refresh-token is missing: write an object with at least a secret'],
  [{ 'refresh-token': 'x' }, 'refresh-token can not be used: write an object with at least a secret'],
  [inRefreshToken({ secret: undefined }), `refresh-token.secret is missing: ${bytes}`],
  [inRefreshToken({ secret: 7 }), `refresh-token.secret can not be used: ${bytes}`],
  [inRefreshToken({ expiresIn: '30' }), `refresh-token.expiresIn is "30": ${duration('30d')}`],
  [inRefreshToken({ expiresIn: '-1d' }), `refresh-token.expiresIn is "-1d": ${duration('30d')}`],
  [inRefreshToken({ expiresIn: null }), `refresh-token.expiresIn is null: ${duration('30d')}`],
  [inRefreshToken({ maxLifetime: '1000y' }), `refresh-token.maxLifetime is "1000y": ${duration('180d')}`],
  [inRefreshToken({ leeway: -1 }), `refresh-token.leeway is -1: ${duration('30s')}`],
  [inRefreshToken({ rotation: 'no' }), 'refresh-token.rotation is "no": write true or false'],
  [inRefreshToken({ reuse: 'ip' }), 'refresh-token.reuse is "ip": write "device", "user" or "never"'],
  [
    inRefreshToken({ reuse: 'user' }),
    'refresh-token.reuse is "user" while rotation is on, so the logins of a user would spend each other\'s token: write "device", or set rotation to false'
  ],
  [inRefreshToken({ maxSessions: 0 }), 'refresh-token.maxSessions is 0: write a whole number from 1 to 1000'],
  [
    inRefreshToken({ maxSessions: 1.5 }),
    'refresh-token.maxSessions is 1.5: write a whole number from 1 to 1000'
  ],
  [inRefreshToken({ strategies: 'local' }), `refresh-token.strategies is "local": ${signIns}`],
  [
    inRefreshToken({ strategies: ['magic'] }),
    'refresh-token.strategies names "magic", which is not in authStrategies: write one of ["jwt","local","refresh-token"]'
  ],
  ...['jwt', 'refresh-token'].map((name): [Settings, string] => [
    inRefreshToken({ strategies: ['local', name] }),
    `refresh-token.strategies names "${name}", which renews a login but does not sign in: write only strategies that sign in`
  ]),
  [
    inRefreshToken({ field: '_token' }),
    'refresh-token.field is "_token": write a field name of letters, digits, "_" and "-", such as "refreshToken"'
  ],
  ...['accessToken', 'authentication', 'session', 'strategy', 'device', 'idempotencyKey', 'user'].map(
    (name): [Settings, string] => [
      inRefreshToken({ field: name }),
      `refresh-token.field is "${name}", a name that answers use already: write another, such as "refreshToken"`
    ]
  ),
  [
    inRefreshToken({ cookie: true }),
    'refresh-token.cookie can not be used: write false, or an object with any of name, path, sameSite, secure and domain'
  ],
  [
    inRefreshToken({ expireIn: '1d' }),
    'refresh-token.expireIn is not a known setting: remove it, or write one of secret, expiresIn, maxLifetime, rotation, leeway, reuse, maxSessions, strategies, field, cookie, previousTokens, stockTokens, cache, sessionsField, entityCache'
  ],
  [
    inRefreshToken({ stockTokens: {} }),
    'refresh-token.stockTokens.secret is missing: write the secret that Feathers signed access tokens with before'
  ],
  [
    inRefreshToken({ stockTokens: 'a secret' }),
    'refresh-token.stockTokens can not be used: write an object with the secret of those tokens, or remove it'
  ],
  ...['disabled', 'password'].map((field): [Settings, string] => [
    inRefreshToken({ sessionsField: field }),
    `refresh-token.sessionsField is "${field}", a field that users have for something else: write another, such as "sessions"`
  ]),
  [
    {
      local: { usernameField: 'auth.email', passwordField: 'auth.password' },
      ...inRefreshToken({ sessionsField: 'auth' })
    },
    'refresh-token.sessionsField is "auth", a field that users have for something else: write another, such as "sessions"'
  ],
  [
    { entityId: 'code', ...inRefreshToken({ sessionsField: 'code' }) },
    'refresh-token.sessionsField is "code", a field that users have for something else: write another, such as "sessions"'
  ],
  [
    inRefreshToken({ sessionsField: 'a.b' }),
    'refresh-token.sessionsField is "a.b": write the name of a field that the user documents do not have, such as "sessions"'
  ],
  [inRefreshToken({ entityCache: 'yes' }), 'refresh-token.entityCache is "yes": write true or false'],
  [inRefreshToken({ previousTokens: 'yes' }), 'refresh-token.previousTokens is "yes": write true or false'],
  [
    { jwtOptions: { header: { typ: 'JWT' } } },
    'jwtOptions.header is {"typ":"JWT"}: remove it: the header of access tokens is that of RFC 9068'
  ],
  [
    { refreshToken: {} },
    'refreshToken is not a known setting: write refresh-token, or a name of your own that differs from it more'
  ],
  ...[
    ['authStrategie', 'authStrategies'],
    ['authstrategies', 'authStrategies'],
    ['jwtOption', 'jwtOptions'],
    ['jwtOptoins', 'jwtOptions'],
    ['jwtOptionz', 'jwtOptions'],
    ['entity_id', 'entityId'],
    ['sercet', 'secret'],
    ['JWT', 'jwt']
  ].map(([name, meant]): [Settings, string] => [
    { [name!]: 'x' },
    `${name} is not a known setting: write ${meant}, or a name of your own that differs from it more`
  ])
]

describe("a setting of the app's own", () => {
  it('may stand beside ours', () => {
    for (const name of ['apiKey', 'ldap', 'authStrategy', 'tokens', 'path', 'key']) {
      settingsWith({ [name]: { any: 'thing' } })
    }

    // A strategy may be named like one of ours
    settingsWith({ authStrategies: ['jwt', 'locale', 'local', 'refresh-token'], locale: {} })
  })
})

describe('a wrong setting', () => {
  for (const [changes, sentence] of mistakes) {
    it(`is refused: ${sentence}`, () => {
      assert.throws(() => settingsWith(changes), new ConfigurationError(`authentication.${sentence}`))
    })
  }

  it('is named by the key of the configuration, even if the app chose it', () => {
    assert.throws(
      () => readSettings({ ...leastSettings, entity: 7 }, 'auth', false),
      new ConfigurationError('auth.entity is 7: write the name of the entity, such as "user"')
    )
  })

  it('can be all of them', () => {
    for (const nothing of [undefined, null, 'text', 7, []]) {
      assert.throws(
        () => readSettings(nothing, 'authentication', false),
        /^ConfigurationError: authentication /
      )
    }
  })

  it('stops the start', async () => {
    const settings = { authentication: inRefreshToken({ leeway: 'long' }) }

    await assert.rejects(
      startApp({ settings }),
      new ConfigurationError(`authentication.refresh-token.leeway is "long": ${duration('30s')}`)
    )
  })

  it('is a name that is not registered', async () => {
    const names = ['jwt', 'local', 'refresh-token', 'magic']
    const noSuchStrategy = (key: string) =>
      `authentication.${key} names "magic", but no strategy is registered under that name: ` +
      'write one of ["jwt","local","refresh-token"], or register it'

    for (const [authentication, sentence] of [
      [{ authStrategies: names }, noSuchStrategy('authStrategies')],
      [{ parseStrategies: ['magic'] }, noSuchStrategy('parseStrategies')],
      [
        { service: 'people' },
        'authentication.service is "people", but there is no such service: write the path of the entity service, such as "users"'
      ]
    ] as const) {
      await assert.rejects(startApp({ settings: { authentication } }), new ConfigurationError(sentence))
    }
  })
})
