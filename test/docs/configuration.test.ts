import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { checkedConfiguration, isObject, readConfiguration } from '../../src/configuration.js'
import { ConfigurationError } from '../../src/refresh-token/index.js'
import { readPage, root } from '../support/documents.js'
import { settingNames } from '../../src/refresh-token/settings/schema.js'
import { settingsWith } from '../support/settings.js'

describe('docs/configuration.md', () => {
  // The message about an unknown setting lists all known ones
  const known = (read: () => unknown): string[] => {
    try {
      read()
    } catch (error) {
      assert.ok(error instanceof ConfigurationError)
      return /write one of (.*)$/.exec(error.message)![1]!.split(', ')
    }

    return assert.fail('the setting is known')
  }

  /** The keys of a table, with their documented defaults. */
  const rowsOf = (title: string) => {
    const section = readPage('docs/configuration.md')
      .split('\n## ')
      .find((part) => part.startsWith(`${title}\n`))!

    return [...section.matchAll(/^\| `([^`]+)` +\| [^|]+ \| ([^|]*?) +\|/gm)].map(([, name, byDefault]) => ({
      name: name!,
      byDefault: byDefault!
    }))
  }

  const parts: [string, () => string[]][] = [
    ['The service', () => known(() => checkedConfiguration({ ...readConfiguration(), unknown: 1 }))],
    ['`authentication`', () => settingNames],
    ['`authentication.refresh-token`', () => known(() => settingsWith({ 'refresh-token': { unknown: 1 } }))]
  ]

  for (const [title, names] of parts) {
    it(`has a row for each setting: ${title}`, () => {
      assert.deepEqual(
        rowsOf(title)
          .map(({ name }) => name)
          .toSorted(),
        names()
          .filter((name) => name !== 'authentication' && name !== 'refresh-token')
          .toSorted()
      )
    })
  }

  const { authentication, ...service } = JSON.parse(readFileSync(join(root, 'config/default.json'), 'utf8'))
  const { 'refresh-token': refreshToken, ...rest } = authentication
  const defaults: [string, Record<string, unknown>, number][] = [
    ['The service', service, 8],
    ['`authentication`', rest, 3],
    ['`authentication.refresh-token`', refreshToken, 10]
  ]

  for (const [title, settings, count] of defaults) {
    it(`has the default of each setting that isn't an object: ${title}`, () => {
      const plain = rowsOf(title).filter(({ name }) => name in settings && !isObject(settings[name]))

      assert.equal(plain.length, count)

      for (const { name, byDefault } of plain) {
        const [, code = byDefault] = /^`([^`]+)`/.exec(byDefault) ?? []
        const value = settings[name]

        assert.deepEqual(typeof value === 'string' ? code : JSON.parse(code), value, name)
      }
    })
  }
})
