import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rotateKeys } from '../../src/keys/rotation.js'
import { readSettings } from '../../src/refresh-token/settings/settings.js'
import { newPem, newSecret, withKeyFile } from '../support/keys.js'

const refreshSecret = newSecret()

/** Reads the settings of a service that signs access tokens so. */
const read = (algorithm: string, secret: string | undefined, more: object = {}) =>
  readSettings(
    {
      entity: 'user',
      service: 'users',
      authStrategies: ['jwt', 'local', 'refresh-token'],
      ...(secret !== undefined && { secret, 'refresh-token': { secret: refreshSecret } }),
      jwtOptions: { algorithm },
      ...more
    },
    'authentication',
    true
  )

/** The one sentence that it ends with, which shows nothing of a key. */
function sentenceOf(start: () => unknown, ...secrets: string[]): string {
  let sentence = ''

  assert.throws(start, (error: Error) => {
    sentence = error.message
    return error.name === 'ConfigurationError'
  })

  for (const line of secrets
    .flatMap((secret) => secret.split(/[\n,]/))
    .filter((line) => !line.startsWith('---'))) {
    assert.ok(line.length < 8 || !sentence.includes(line), 'the sentence shows a key')
  }

  assert.doesNotMatch(sentence, /BEGIN|\n/)
  return sentence
}

describe('settings of keys', () => {
  const mistakes: [what: string, algorithm: string, secret: string, sentence: RegExp][] = [
    ['a PEM key with HS256', 'HS256', newPem('RS256').publicPem, /^authentication\.secret holds a PEM key/],
    [
      'a private PEM key with HS512',
      'HS512',
      newPem('ES256').privatePem,
      /^authentication\.secret holds a PEM/
    ],
    ['a secret with ES256', 'ES256', newSecret(), /^authentication\.secret does not hold a PEM key/],
    [
      'an RSA key with ES256',
      'ES256',
      newPem('RS256').privatePem,
      /key of type rsa, which does not fit .* ES256/
    ],
    [
      'an EC key with RS256',
      'RS256',
      newPem('ES256').privatePem,
      /type ec \(prime256v1\), .* does not fit .* RS256/
    ],
    [
      'another curve with ES256',
      'ES256',
      newPem('P-384').privatePem,
      /type ec \(secp384r1\), .* does not fit/
    ],
    ['an Ed25519 key with ES256', 'ES256', newPem('Ed25519').privatePem, /type ed25519, which does not fit/],
    [
      'an RSA key that is too short',
      'RS256',
      newPem('RSA-1024').privatePem,
      /RSA key of 1024 bits, less than 2048/
    ],
    ['public keys alone', 'ES256', newPem('ES256').publicPem, /holds public keys only, which can not sign/],
    ['a passphrase', 'ES256', newPem('ES256', 'secret').privatePem, /can not be read, or has a passphrase/],
    ['a PEM cut short', 'ES256', newPem('ES256').privatePem.slice(0, 100), /can not be read/],
    ['rubbish behind a PEM', 'ES256', `${newPem('ES256').privatePem}rubbish`, /does not hold a PEM key/],
    [
      'one bad key of two',
      'RS256',
      [newPem('RS256'), newPem('ES256')].map((p) => p.privatePem).join(),
      /does not fit/
    ],
    [
      'an algorithm that jsonwebtoken does not have',
      'EdDSA',
      newPem('Ed25519').privatePem,
      /algorithm is "EdDSA": write "HS256"/
    ],
    ['no signature', 'none', newSecret(), /algorithm is "none": write "HS256"/]
  ]

  for (const [what, algorithm, secret, sentence] of mistakes) {
    it(`${what} stops the start, with one sentence`, () => {
      assert.match(
        sentenceOf(() => read(algorithm, secret), secret),
        sentence
      )
    })
  }

  it('a PEM key for refresh tokens stops the start: they stay HS256', () => {
    const { privatePem } = newPem('ES256')
    const start = () => read('ES256', privatePem, { 'refresh-token': { secret: newPem('ES256').privatePem } })

    assert.match(sentenceOf(start, privatePem), /^authentication\.refresh-token\.secret holds a PEM key/)
  })

  it('takes PEM keys one after the other, by commas, with \\n for line ends, and with a curve in front', () => {
    const [one, two] = [newPem('ES256'), newPem('ES256')]
    const curve = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
    const kids = (secret: string) => [...read('ES256', secret).accessTokens.keyring.byId.keys()]
    const expected = kids(`${one.privatePem}${two.publicPem}`)

    assert.equal(expected.length, 2)
    assert.deepEqual(kids(`${one.privatePem},${two.publicPem}`), expected)
    assert.deepEqual(kids(`${one.privatePem}${two.publicPem}`.replaceAll('\n', '\\n')), expected)
    assert.deepEqual(kids(`${curve}${one.privatePem}\n\n${curve}${two.privatePem}`), expected)
    assert.deepEqual(kids(`${one.publicPem}${one.privatePem}${two.publicPem}`), expected)
  })

  it('keys come from the settings or from a file, not from both or neither', () =>
    withKeyFile(async (keys) => {
      assert.match(
        sentenceOf(() => read('HS256', newSecret(), { keys })),
        /secret is set beside authentication\.keys/
      )
      assert.match(
        sentenceOf(() => read('HS256', undefined, { 'refresh-token': {} })),
        /authentication\.secret is missing/
      )
      assert.ok(read('HS256', undefined, { keys, 'refresh-token': {} }))
    }))

  const files: [what: string, content: object, sentence: RegExp][] = [
    ['without keys', {}, /^The key file .* is not JSON with the keys/],
    [
      'with a bad time',
      { accessToken: newSecret(), refreshToken: newSecret(), signsFrom: { a: 'soon' } },
      /times in signsFrom/
    ],
    [
      'with one secret for both kinds',
      { accessToken: refreshSecret, refreshToken: refreshSecret },
      /shares a secret/
    ],
    [
      'with a short secret',
      { accessToken: 'short', refreshToken: newSecret() },
      /^accessToken in .* too short for production/
    ]
  ]

  for (const [what, content, sentence] of files) {
    it(`a key file ${what} stops the start, with one sentence`, () =>
      withKeyFile(async (keys) => {
        const start = () => read('HS256', undefined, { keys, 'refresh-token': {} })

        assert.match(sentenceOf(start, refreshSecret), sentence)
      }, content))
  }

  it('a key file without a key for factors stops the start where there are some, until one is added', () =>
    withKeyFile(async (keys) => {
      const start = () =>
        read('HS256', undefined, {
          keys,
          'refresh-token': {},
          authStrategies: ['jwt', 'local', 'refresh-token', 'totp']
        })

      assert.match(
        sentenceOf(start),
        /has no key of the kind factor, which the strategy "totp" needs: add one with `moult keys rotate factor`$/
      )

      const [added] = rotateKeys(keys, {
        algorithm: 'HS256',
        life: { access: 1, refresh: 1 },
        kinds: ['factor'],
        now: Date.now()
      }).added

      assert.equal(start().factors!.challenges.keyring.newest.kid, added!.kid)
      rotateKeys(keys, {
        algorithm: 'HS256',
        life: { access: 1, refresh: 1 },
        kinds: ['factor'],
        now: Date.now() + 1e12
      })
      assert.equal(start().factors!.challenges.keyring.keys.length, 2, 'none is ever dropped')
      assert.match(
        sentenceOf(() =>
          read('HS256', undefined, { keys, 'refresh-token': {}, factors: { secret: newSecret() } })
        ),
        /^authentication\.factors\.secret is set beside authentication\.keys/
      )
    }))

  it('a key file that is not there stops the start, and the sentence says how to make it', () => {
    const start = () => read('HS256', undefined, { keys: '/nowhere/keys.json', 'refresh-token': {} })

    assert.match(sentenceOf(start), /can not be read \(ENOENT\): create it with `moult keys rotate`/)
  })
})
