import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Algorithm } from '../../src/refresh-token/keys/signing-key.js'
import type { Settings } from './app.js'

export const newSecret = (): string => randomBytes(48).toString('base64url')

/** A key pair for an algorithm, or of another kind, as PEM. */
export function newPem(
  kind: 'ES256' | 'P-384' | 'Ed25519' | 'RS256' | 'PS256' | 'RSA-1024',
  passphrase?: string
) {
  const pair =
    kind === 'Ed25519'
      ? generateKeyPairSync('ed25519')
      : kind === 'ES256' || kind === 'P-384'
        ? generateKeyPairSync('ec', { namedCurve: kind === 'ES256' ? 'P-256' : kind })
        : generateKeyPairSync('rsa', { modulusLength: kind === 'RSA-1024' ? 1024 : 2048 })
  const locked = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }

  return {
    privatePem: pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...locked }).toString(),
    publicPem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  }
}

/** Settings of an app whose keys come from a file alone. */
export const fromFile = (keys: string, { algorithm = 'HS256', ...more }: Settings = {}): Settings => ({
  authentication: {
    keys,
    secret: undefined,
    jwtOptions: { algorithm },
    'refresh-token': { secret: undefined, ...more }
  }
})

/** Settings of an app that signs access tokens with PEM keys. */
export const withPem = (algorithm: Algorithm, ...pems: string[]): Settings => ({
  authentication: { secret: pems.join('\n'), jwtOptions: { algorithm } }
})

/** A folder with a key file, for a while. */
export async function withKeyFile(
  work: (file: string) => Promise<void>,
  content: object = { accessToken: newSecret(), refreshToken: newSecret() }
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'moult-keys-'))
  const file = join(folder, 'keys.json')

  try {
    await writeFile(file, JSON.stringify(content), { mode: 0o600 })
    await work(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
