import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import {
  creationOptions,
  requestOptions,
  verifyAssertion,
  verifyRegistration,
  type Credential
} from '../../src/passkeys/webauthn.js'
import { authenticator, type Oddities } from '../support/authenticator.js'

const party = {
  rpId: 'example.com',
  rpName: 'Example',
  origins: ['https://app.example.com', 'https://example.com']
}
const origin = 'https://app.example.com'
const random = (size: number) => randomBytes(size).toString('base64url')
const owner = { handle: random(64), name: 'ada@example.com' }
const second = { known: [], isOnlyWayIn: false }
const only = { known: [], isOnlyWayIn: true }

async function registered(oddities: Oddities = {}) {
  const device = authenticator(origin)
  const challenge = random(32)
  const response = device.create(await creationOptions(party, challenge, owner, second), oddities)
  const credential = await verifyRegistration(party, challenge, response, second)

  return { device, credential }
}

// What neither a registration nor an assertion may be
const refusedBoth: Record<string, Oddities> = {
  'of a foreign origin': { origin: 'https://evil.example' },
  'of a subdomain that is not configured': { origin: 'https://evil.example.com' },
  'of the same host without TLS': { origin: 'http://app.example.com' },
  'of another port': { origin: 'https://app.example.com:8443' },
  'of an origin that begins like ours': { origin: 'https://app.example.com.evil.example' },
  'signed for another domain': { rpId: 'evil.example' },
  'signed for a domain below ours': { rpId: 'app.example.com' },
  'in a frame of another origin': { crossOrigin: true },
  'without the presence of a user': { up: false },
  'of another challenge': { challenge: random(32) },
  'of another ceremony': { type: 'payment.get' }
}

describe('a new passkey', () => {
  it('is told by its authenticator, and by nothing else', async () => {
    const { credential, device } = await registered({ backupEligible: true, uv: false })

    assert.deepEqual(
      { ...credential, publicKey: undefined },
      {
        credentialId: device.passkeys[0]!.credentialId,
        publicKey: undefined,
        counter: 0,
        transports: ['internal'],
        backupEligible: true,
        userVerified: false
      }
    )
  })

  it('keeps nothing that its algorithm does not need', async () => {
    const { credential: slim } = await registered()
    const { credential: fat } = await registered({
      labels: new Map([[-70_000, new Uint8Array(11_000)]]),
      transports: ['x'.repeat(32), 'usb', 'usb', 'hybrid']
    })

    assert.equal(fat!.publicKey.length, slim!.publicKey.length)
    assert.deepEqual(fat!.transports, ['hybrid', 'usb'])
  })

  const rsa = (n: number, e: number): Oddities => ({
    labels: new Map<number, number | Uint8Array>([
      [1, 3],
      [3, -257],
      [-1, new Uint8Array(n).fill(1)],
      [-2, new Uint8Array(e).fill(1)]
    ])
  })

  it('has an RSA key of 2048 to 4096 bits', async () => {
    for (const size of [256, 512]) {
      assert.ok((await registered(rsa(size, 3))).credential)
    }
  })

  const refused: Record<string, Oddities> = {
    ...refusedBoth,
    'with an RSA key that takes long to verify': rsa(1024, 3),
    'with an exponent that takes long to verify': rsa(256, 256),
    'with a short RSA key': rsa(128, 3),
    'with a coordinate that is too long': { labels: new Map([[-3, new Uint8Array(8000)]]) },
    'with a number in place of a coordinate': { labels: new Map([[-3, 1]]) },
    'on another curve': { labels: new Map([[-1, 2]]) },
    'with an algorithm that was not offered': { algorithm: -65535 },
    'with a certificate, whose addresses the library might call': {
      attestation: { fmt: 'packed', attStmt: new Map<string, unknown>([['x5c', [new Uint8Array(3)]]]) }
    },
    'with an attestation that was not asked for': { attestation: { fmt: 'apple', attStmt: new Map() } },
    'with an attestation in the one that has none': {
      attestation: { fmt: 'none', attStmt: new Map([['sig', new Uint8Array(3)]]) }
    }
  }

  for (const [what, oddities] of Object.entries(refused)) {
    it(`is refused ${what}`, async () => {
      assert.equal((await registered(oddities)).credential, undefined)
    })
  }

  it('has to verify its user if it is the only way in', async () => {
    for (const uv of [true, false]) {
      const challenge = random(32)
      const options = await creationOptions(party, challenge, owner, only)
      const response = authenticator(origin, { uv }).create(options)

      assert.deepEqual(options.authenticatorSelection, {
        residentKey: 'required',
        requireResidentKey: true,
        userVerification: 'required'
      })
      assert.equal((await verifyRegistration(party, challenge, response, only)) !== undefined, uv)
    }
  })

  it('is refused under the id of another', async () => {
    const challenge = random(32)
    const response = authenticator(origin).create(await creationOptions(party, challenge, owner, second))
    const other = { ...response, id: random(32) }

    assert.equal(await verifyRegistration(party, challenge, other, second), undefined)
    assert.equal(await verifyRegistration(party, challenge, { ...other, rawId: other.id }, second), undefined)
  })

  it('is not made twice by an authenticator, which is told what there is', async () => {
    const known = [{ credentialId: random(16), transports: ['usb'] }]
    const options = await creationOptions(party, random(32), owner, { known, isOnlyWayIn: false })

    assert.deepEqual(options.excludeCredentials, [
      { id: known[0]!.credentialId, transports: ['usb'], type: 'public-key' }
    ])
    assert.equal(options.user.id, owner.handle)
    assert.equal(options.attestation, 'none')
  })
})

describe('an assertion', () => {
  async function asserted(
    oddities: Oddities = {},
    { isByItself = false, handle = owner.handle, change = (credential: Credential) => credential } = {}
  ) {
    const { device, credential } = await registered()
    const challenge = random(32)
    const options = await requestOptions(party, challenge, isByItself ? undefined : [credential!])

    return verifyAssertion(party, challenge, device.get(options, oddities), change(credential!), {
      handle,
      isByItself
    })
  }

  it('tells the counter, and whether the user was verified', async () => {
    assert.deepEqual(await asserted(), { counter: 1, userVerified: true })
    assert.deepEqual(await asserted({ uv: false, counter: 0 }), { counter: 0, userVerified: false })
  })

  for (const [what, oddities] of Object.entries(refusedBoth)) {
    it(`is refused ${what}`, async () => {
      assert.equal(await asserted(oddities), undefined)
      assert.equal(await asserted(oddities, { isByItself: true }), undefined)
    })
  }

  it('is refused with the handle of another account, and by itself without any', async () => {
    for (const isByItself of [true, false]) {
      assert.ok(await asserted({}, { isByItself }))
      assert.equal(await asserted({ userHandle: random(64) }, { isByItself }), undefined)
      assert.equal(await asserted({}, { isByItself, handle: random(64) }), undefined)
      assert.equal((await asserted({ userHandle: undefined }, { isByItself })) === undefined, isByItself)
    }
  })

  it('is refused by itself without verification of the user', async () => {
    assert.equal(await asserted({ uv: false }, { isByItself: true }), undefined)
    assert.ok(await asserted({ uv: false }))
  })

  it('is refused by another passkey’s key', async () => {
    const { credential: other } = await registered()

    assert.equal(
      await asserted({}, { change: (own) => ({ ...own, publicKey: other!.publicKey }) }),
      undefined
    )
  })

  it('is refused of a passkey that could not be copied and now can', async () => {
    assert.equal(await asserted({ backupEligible: true }), undefined)
  })

  it('accepts a counter that does not grow: that is the caller’s to judge', async () => {
    const old = (own: Credential) => ({ ...own, counter: 7 })

    assert.deepEqual(await asserted({ counter: 3 }, { change: old }), { counter: 3, userVerified: true })
  })
})
