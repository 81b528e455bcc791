import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { DevelopmentError } from '../../src/dev/development-error.js'
import { developmentSecrets } from '../../src/dev/secrets.js'
import { programArgs } from '../support/program.js'

const runnable = programArgs('src/dev/secrets.ts')
const program = `import { developmentSecrets } from '${runnable.at(-1)}'
  const folder = process.argv[1]
  const all = await Promise.all([1, 2, 3, 4].map(() => developmentSecrets(folder)))
  console.log(JSON.stringify(all))`

let parent: string
let folder: string

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'moult-secrets-'))
  folder = join(parent, 'data')
})

afterEach(() => rm(parent, { recursive: true }))

describe('the development secrets', () => {
  it('are 48 random bytes each, and two', async () => {
    const { accessToken, refreshToken } = await developmentSecrets(folder)

    for (const secret of [accessToken, refreshToken]) {
      assert.match(secret, /^[\w-]{64}$/)
    }
    assert.notEqual(accessToken, refreshToken)
  })

  it('stay the same, in a file for their owner only', async () => {
    const first = await developmentSecrets(folder)

    assert.deepEqual(await developmentSecrets(folder), first)
    assert.equal((await stat(join(folder, 'secrets.json'))).mode & 0o777, 0o600)
  })

  it('are the same for twenty requests at once, in five processes', async () => {
    const args = [...runnable.slice(0, -1), '--input-type=module', '-e', program, folder]
    const runs = await Promise.all(
      Array.from({ length: 5 }, () => promisify(execFile)(process.execPath, args))
    )
    const answers = runs.flatMap(({ stdout }) => JSON.parse(stdout) as unknown[])

    assert.equal(answers.length, 20)
    for (const answer of answers) {
      assert.deepEqual(answer, answers[0])
    }
    assert.deepEqual(await readdir(folder), ['secrets.json'])
  })

  it('never replace a file that holds something else', async () => {
    const file = join(folder, 'secrets.json')

    await developmentSecrets(folder)
    for (const text of ['', '{', 'null', '{}', '{"accessToken":"short","refreshToken":"short"}']) {
      await writeFile(file, text)
      await assert.rejects(developmentSecrets(folder), (error) => {
        assert.ok(error instanceof DevelopmentError)
        assert.ok(
          error.message.startsWith(`${file} does not hold two secrets. Remove it to generate new ones`)
        )
        return true
      })
    }
  })

  it('can not be kept where a file is in the way', async () => {
    await writeFile(folder, '')
    await assert.rejects(
      developmentSecrets(folder),
      /^DevelopmentError: The development secrets in .+ can't be/
    )
  })
})
