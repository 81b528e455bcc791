import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readPage } from '../support/documents.js'
import { messagesIn, messagesOfSource } from '../support/messages.js'

const page = 'docs/troubleshooting.md'

interface Entry {
  /** The messages as the page quotes them, each a paragraph of one block quote. */
  messages: string[]
  line: number
  /** What the page says about them. */
  explanation: string
}

/** The entries of the page: block quotes, each with the text that follows it. */
function entriesOf(text: string): Entry[] {
  return [...text.matchAll(/(?<=^|\n)((?:>.*\n)+)([^>]*)/g)].map(([, quote, rest], index, all) => ({
    messages: quote!
      .replaceAll(/^> ?/gm, '')
      .split(/\n{2,}/)
      .map((message) =>
        message
          .trim()
          .replaceAll('\n', ' ')
          .replaceAll(/\\([_*<])/g, '$1')
      ),
    line: text.slice(0, all[index]!.index).split('\n').length,
    explanation: rest!.split(/^#/m)[0]!.trim()
  }))
}

/** The texts that a piece of source says. */
const textsIn = (source: string) => messagesIn(source, 'src/example.ts').map(({ text }) => text)

const entries = entriesOf(readPage(page))
const explained = new Set(entries.flatMap(({ messages }) => messages))
const messages = messagesOfSource()

describe('docs/troubleshooting.md', () => {
  it('explains each message of the source', () => {
    const missing = messages
      .filter(({ text }) => text !== undefined && !explained.has(text))
      .map(({ place, text }) => `${place} says\n> ${text}`)

    assert.deepEqual(missing, [], `Quote these on ${page}, word for word, and explain them below`)
  })

  it('quotes no message that the source does not say', () => {
    const said = new Set(messages.map(({ text }) => text))
    const stale = entries.flatMap(({ messages, line }) =>
      messages
        .filter((message) => !said.has(message))
        .map((message) => `${page}:${line} quotes\n> ${message}`)
    )

    assert.deepEqual(stale, [], 'Change these to what the source says now, or remove them')
  })

  it('quotes each message once, and says something about it', () => {
    assert.equal(explained.size, entries.flatMap(({ messages }) => messages).length)
    assert.deepEqual(
      entries.filter(({ explanation }) => explanation === '').map(({ line }) => `${page}:${line}`),
      []
    )
  })
})

describe('the messages of the source', () => {
  it('can all be read by the test', () => {
    const unreadable = messages.filter(({ text }) => text === undefined).map(({ place }) => place)

    assert.deepEqual(unreadable, [], 'Write the sentence where it is said, or in a constant of the same file')
    assert.ok(messages.length > 50, `only ${messages.length} messages were found`)
  })

  it('are those of errors and of the log', () => {
    assert.deepEqual(textsIn("throw new ConfigurationError('one' + ` and ${two}`)"), ['one and …'])
    assert.deepEqual(textsIn("throw new Error('one')"), [])
    assert.deepEqual(textsIn("app.get('logger').error({ id }, `${path} failed`)"), ['… failed'])
    assert.deepEqual(textsIn("this.log.warn('one'); child.once('error', 'two')"), ['one'])
    assert.deepEqual(textsIn('logger.warn(tell())'), [undefined])
  })

  it('have the texts that their file shows', () => {
    assert.deepEqual(textsIn('const least = 6; log(`${least}.0 or newer`)'), ['6.0 or newer'])
    assert.deepEqual(textsIn("log(some ? 'one' : 'two')"), ['one', 'two'])
    assert.deepEqual(textsIn('const all = { A: (port) => `port ${port}` }; log(all[code]?.(80))'), ['port …'])
    assert.deepEqual(
      textsIn("class A { #warn(what) { options.warn(`${what}: gone`) } b() { this.#warn('one') } }"),
      ['one: gone']
    )
  })
})
