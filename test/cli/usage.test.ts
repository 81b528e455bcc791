import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { program } from '../../src/cli/moult.js'
import { runScript } from '../support/process.js'
import { programArgs } from '../support/program.js'

/** The commands that do something, with their names from the first on. */
function leaves(command: Command, path: string[] = []): { path: string[]; command: Command }[] {
  return command.commands.length === 0
    ? [{ path, command }]
    : command.commands.flatMap((child) => leaves(child, [...path, child.name()]))
}

const moult = (args: string[], env = {}) => runScript('cli.ts', { args, env: { NODE_ENV: 'test', ...env } })

describe('moult', { concurrency: 2 }, () => {
  const mistakes: [string, string[], RegExp][] = [
    ['no command', [], /^Usage: moult/],
    ['an unknown role', ['users', 'role', 'a@example.com', 'root'], /^.*'root'.*user, moderator, admin\.$/],
    [
      'a password as an argument',
      ['users', 'password', 'a@example.com', 'hunter2!'],
      /^.*too many arguments.*$/
    ],
    ['a count that is none', ['users', 'list', '--limit', '-1'], /^.*'-1'.*Write a whole number\.$/],
    [
      'a command that another group has',
      ['keys', 'list'],
      /^error: moult keys has no command 'list': did you mean 'moult keys show'\?$/
    ],
    [
      'a command that there is not',
      ['keys', 'sing'],
      /^error: moult keys has no command 'sing': write one of show, rotate$/
    ],
    ['neither a session nor all', ['sessions', 'end', 'a@example.com'], /^error: .*'--all'$/]
  ]

  for (const [what, args, sentence] of mistakes) {
    it(`says how it is used, with code 2: ${what}`, async () => {
      const { code, stdout, stderr } = await moult(args)

      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, sentence)
      assert.doesNotMatch(stderr, /hunter2/)
    })
  }

  it('is described in docs/cli.md, command by command, with all arguments and options', async () => {
    const docs = await readFile(resolve('docs/cli.md'), 'utf8')

    for (const { path, command } of leaves(program())) {
      const args = command.registeredArguments.map((one) =>
        one.required ? `<${one.name()}>` : `[${one.name()}]`
      )
      const usage = [...path, ...args].join(' ')
      const row = docs.split('\n').find((line) => line.startsWith(`| \`${usage}\` `))

      assert.ok(row, usage)

      for (const { long } of command.options.filter(({ long }) => long !== '--json')) {
        assert.ok(row.includes(`\`${long}\``), `${usage} ${long}`)
      }
    }
  })

  it('lists its commands', async () => {
    const { code, stdout } = await moult(['--help'])

    assert.equal(code, 0)

    for (const command of ['users', 'sessions', 'events', 'keys', 'check']) {
      assert.match(stdout, new RegExp(`^ +${command} `, 'm'))
    }
  })

  it('prints its version', async () => {
    const { version } = JSON.parse(await readFile(resolve('package.json'), 'utf8'))
    const { code, stdout } = await moult(['--version'])

    assert.deepEqual([code, stdout], [0, version])
  })

  it('fails with a sentence when the database is away', async () => {
    const { code, stdout, stderr } = await moult(['users', 'list'], {
      MONGODB_URL: 'mongodb://ada:hunter2@127.0.0.1:1/moult'
    })

    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(
      stderr,
      /^The database can not be reached \(127\.0\.0\.1:1 refuses connections\): `moult check`.*$/
    )
    assert.doesNotMatch(stderr, /hunter2/)
  })

  it('fails with a sentence when a setting is wrong', async () => {
    const { code, stderr } = await moult(['users', 'list'], { NODE_CONFIG: '{"colour": "red"}' })

    assert.equal(code, 1)
    assert.match(stderr, /^colour is not a known setting: .*$/)
  })

  it('uses its own settings in a folder without any', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moult-cli-'))
    const env = { ...process.env, NODE_ENV: 'development', KEYS_FILE: join(folder, 'keys.json') }

    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [...programArgs('src/cli.ts'), 'keys', 'rotate', '--json'],
        { cwd: folder, env }
      )

      assert.deepEqual(JSON.parse(stdout), {
        file: join(folder, 'keys.json'),
        made: true,
        added: [],
        dropped: []
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
