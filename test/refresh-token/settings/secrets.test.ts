import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkedConfiguration, readConfiguration } from '../../../src/configuration.js'
import { ConfigurationError } from '../../../src/refresh-token/errors.js'
import { readSettings } from '../../../src/refresh-token/settings/settings.js'
import type { Settings } from '../../support/app.js'
import { leastSettings, settingsWith } from '../../support/settings.js'

const bytes = 'write at least 32 random bytes, such as `openssl rand -base64 48` prints'

describe('a sentence about a wrong setting', () => {
  const sentenceOf = (read: () => unknown): string => {
    try {
      read()
    } catch (error) {
      return (error as Error).message
    }

    return assert.fail('the setting is taken')
  }

  it('never shows a secret, wherever it was written', () => {
    const secret = 'abracadabra'

    for (const changes of [
      { secret: [secret] },
      { secret: { newest: secret } },
      { secret: `${secret},,` },
      { secret, 'refresh-token': { secret } },
      { secret, 'refresh-token': secret },
      { secret, 'refresh-token': [secret] },
      { secret, 'refresh-token': { secrets: secret } },
      { secret, 'refresh-token': { secret: [secret] } }
    ]) {
      const sentence = sentenceOf(() =>
        readSettings({ ...leastSettings, ...changes }, 'authentication', false)
      )

      assert.ok(!sentence.includes(secret), sentence)
    }

    assert.ok(!sentenceOf(() => readSettings(secret, 'authentication', false)).includes(secret))
  })

  it('never shows the password of the database', () => {
    for (const mongodb of [
      'mongo://me:abracadabra@db.example.com/moult',
      'me:abracadabra@db.example.com',
      ['mongodb://me:abracadabra@db']
    ]) {
      const sentence = sentenceOf(() => checkedConfiguration({ ...readConfiguration(), mongodb }))

      assert.match(sentence, /^mongodb /)
      assert.ok(!sentence.includes('abracadabra'), sentence)
    }
  })
})

describe('in production', () => {
  const strong = ['n1ML2Pz6kwCk9XyS0v3QtD8uGfJrBhEa', 'Yq7RcZ4dXo5TbV2mKpWs1LgNj0AeUi9H']
  const withSecrets = (access: string, refresh = strong[1]) => ({
    secret: access,
    'refresh-token': { secret: refresh }
  })

  it('good secrets are taken, several too', () => {
    settingsWith(withSecrets(strong[0]!), true)
    settingsWith(withSecrets(`${strong[0]},a${strong[0]}`, `${strong[1]} , b${strong[1]}`), true)
  })

  it('a short one is refused, also behind a long one', () => {
    for (const secret of ['short', `${strong[0]},short`, 'é'.repeat(15)]) {
      assert.throws(
        () => settingsWith(withSecrets(secret), true),
        new ConfigurationError(`authentication.secret is too short for production: ${bytes}`)
      )
    }

    assert.throws(
      () => settingsWith(withSecrets(strong[0]!, 'short'), true),
      new ConfigurationError(`authentication.refresh-token.secret is too short for production: ${bytes}`)
    )
  })

  it('a published or guessable one is refused', () => {
    const { authentication } = readConfiguration() as {
      authentication: Settings & { 'refresh-token': Settings }
    }

    for (const secret of [
      // of this repository
      authentication.secret as string,
      authentication['refresh-token'].secret as string,
      // of jwt.io
      'a-string-secret-at-least-256-bits-long',
      'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long',
      // of tutorials
      'change-me-change-me-change-me-change-me',
      'CHANGE_THIS_TO_A_RANDOM_STRING_OF_32',
      'your-secret-key-your-secret-key-1234',
      'your_own_super_long_random_text_here',
      'not-so-secret-key-of-the-documentation',
      'an-example-key-from-the-documentation',
      'this-is-a-placeholder-for-a-real-key!',
      // of docs/existing-app.md
      'write 32 random bytes or more here',
      'supersecretsupersecretsupersecret!!!',
      '01010101010101010101010101010101',
      'x'.repeat(64)
    ]) {
      assert.throws(
        () => settingsWith(withSecrets(secret), true),
        new ConfigurationError(`authentication.secret is a published or guessable secret: ${bytes}`),
        secret
      )
    }
  })

  it('a published one is refused in development too, and taken in a test', () => {
    const environment = process.env.NODE_ENV
    const read = () => settingsWith(withSecrets('write 32 random bytes or more here', '…'), false)

    read()
    process.env.NODE_ENV = 'development'

    try {
      assert.throws(read, /^ConfigurationError: authentication\.secret is a published or guessable secret/)
      assert.throws(
        () => settingsWith(withSecrets(strong[0]!, '…'), false),
        /^ConfigurationError: authentication\.refresh-token\.secret is a published or guessable secret/
      )
      settingsWith(withSecrets('short', 'another'), false)
    } finally {
      process.env.NODE_ENV = environment
    }
  })

  it('one secret for both kinds is refused', () => {
    assert.throws(
      () => settingsWith(withSecrets(strong[0]!, strong[0]), true),
      /^ConfigurationError: authentication\.refresh-token\.secret shares a secret with authentication\.secret/
    )
  })
})
