import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { checkedConfiguration, readConfiguration } from '../src/configuration.js'
import { ConfigurationError } from '../src/refresh-token/index.js'
import { settingsWith } from './support/settings.js'

describe('docs/configuration.md', () => {
  // The sentence about an unknown one names all that are known
  const known = (read: () => unknown): string[] => {
    try {
      read()
    } catch (error) {
      assert.ok(error instanceof ConfigurationError)
      return /write one of (.*)$/.exec(error.message)![1]!.split(', ')
    }

    return assert.fail('the setting is known')
  }

  const parts: [string, () => string[]][] = [
    ['The service', () => known(() => checkedConfiguration({ ...readConfiguration(), unknown: 1 }))],
    ['`authentication.refresh-token`', () => known(() => settingsWith({ 'refresh-token': { unknown: 1 } }))]
  ]

  for (const [title, names] of parts) {
    it(`has a row for each setting: ${title}`, async () => {
      const text = await readFile(new URL('../docs/configuration.md', import.meta.url), 'utf8')
      const section = text.split('\n## ').find((part) => part.startsWith(title))!
      const rows = [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name)

      assert.deepEqual(
        rows.toSorted(),
        names()
          .filter((name) => name !== 'authentication')
          .toSorted()
      )
    })
  }
})
