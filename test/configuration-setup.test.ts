import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigurationError } from '../src/refresh-token/index.js'
import { startApp, type Settings } from './support/app.js'

const auth = (settings: Settings): Settings => ({ authentication: settings })

describe('a wrong setting that is found at setup is refused with a sentence', () => {
  const found: [Settings, RegExp][] = [
    [
      auth({ authStrategies: ['jwt', 'local', 'refresh-token', 'magic'] }),
      /^authentication\.authStrategies names "magic".*: write one of/
    ],
    [auth({ parseStrategies: ['jwt', 'magic'] }), /^authentication\.parseStrategies .*"magic".*: write /],
    [auth({ service: 'people' }), /^authentication\.service .*"people".*: write /],
    [{ mongodb: 'mongodb://ada:hunter2@/x' }, /^mongodb .*: write /],
    [{ mongodb: 'mongodb://ada:hunter2@localhost:99999/x' }, /^mongodb .*: write /],
    [{ mongodb: 'mongodb://ada:hunter2@localhost/x?retryReads=hunter2' }, /^mongodb .*: write /],
    [{ mongodb: 'mongodb://ada:hunter2@localhost/x?timeout' }, /^mongodb .*: write /],
    [{ host: '192.0.2.1' }, /^host "192\.0\.2\.1" is .*: set HOSTNAME to /]
  ]

  for (const [settings, sentence] of found) {
    it(JSON.stringify(settings), async () => {
      // Stopped in case that it starts
      const started = startApp({ settings }).then((app) => app.stop())

      await assert.rejects(started, (error: Error) => {
        assert.ok(error instanceof ConfigurationError, String(error.stack))
        assert.match(error.message, sentence)
        assert.doesNotMatch(error.message, /hunter2|\n/)
        return true
      })
    })
  }
})
