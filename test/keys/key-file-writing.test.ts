import assert from 'node:assert/strict'
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ConfigurationError } from '../../src/refresh-token/index.js'
import { makeKeyFile } from '../../src/keys/rotation.js'
import { replaceFile } from '../../src/keys/write-file.js'

const isRoot = process.getuid?.() === 0

describe('a key file that is written', () => {
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'moult-keys-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('is created if there is none, for its owner only', () => {
    const file = join(folder, 'new.json')

    assert.ok(makeKeyFile(file, 'HS256'))
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(makeKeyFile(file, 'HS256'), false)
  })

  it('never replaces one that another process has just made', () => {
    const file = join(folder, 'raced.json')
    const whileOther = () => {
      writeFileSync(file, 'the other one')
      return 'this one'
    }

    assert.throws(() => replaceFile(file, whileOther), /raced\.json can not be written \(EEXIST\)/)
    assert.equal(readFileSync(file, 'utf8'), 'the other one')
  })

  it('fails with one sentence if it can not be written', () => {
    const noFolder = join(folder, 'file')
    const inPlace = join(folder, 'folder')

    writeFileSync(noFolder, '')
    mkdirSync(inPlace)

    for (const file of [join(noFolder, 'keys.json'), inPlace, join(folder, 'x'.repeat(253))]) {
      assert.throws(() => replaceFile(file, String), /can not be written \(E\w+\): rotate as/)
    }

    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith('.new')),
      []
    )
  })

  it('stays as it is if something is wrong with the new one', () => {
    const file = join(folder, 'kept.json')
    const wrong = new ConfigurationError('a sentence')

    writeFileSync(file, 'old')
    assert.throws(
      () =>
        replaceFile(file, () => {
          throw wrong
        }),
      wrong
    )
    assert.equal(readFileSync(file, 'utf8'), 'old')
  })

  it('stays with its owner', { skip: !isRoot && 'only root gives files away' }, () => {
    const file = join(folder, 'owned.json')

    writeFileSync(file, 'old')
    chownSync(file, 1, 1)
    replaceFile(file, () => 'new')

    const { uid, gid } = statSync(file)

    assert.deepEqual({ uid, gid }, { uid: 1, gid: 1 })
    assert.equal(readFileSync(file, 'utf8'), 'new')
  })

  it('is made for a known algorithm only', () => {
    assert.throws(
      () => makeKeyFile(join(folder, 'other.json'), 'none'),
      /algorithm is "none": write one of HS256/
    )
  })
})
