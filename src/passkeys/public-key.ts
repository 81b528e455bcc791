import { COSEALG, cose, isoCBOR } from '@simplewebauthn/server/helpers'

const { COSECRV, COSEKEYS, COSEKTY } = cose

type Rule = (value: unknown) => boolean

const is =
  (expected: number): Rule =>
  (value) =>
    value === expected

const bytes =
  (least: number, most = least): Rule =>
  (value) =>
    value instanceof Uint8Array && value.length >= least && value.length <= most

/** The labels that a key of each algorithm has (RFC 9053, RFC 8230), in the canonical order. */
const labels: Partial<Record<COSEALG, [label: number, rule: Rule][]>> = {
  [COSEALG.ES256]: [
    [COSEKEYS.kty, is(COSEKTY.EC2)],
    [COSEKEYS.alg, is(COSEALG.ES256)],
    [COSEKEYS.crv, is(COSECRV.P256)],
    [COSEKEYS.x, bytes(32)],
    [COSEKEYS.y, bytes(32)]
  ],
  [COSEALG.EdDSA]: [
    [COSEKEYS.kty, is(COSEKTY.OKP)],
    [COSEKEYS.alg, is(COSEALG.EdDSA)],
    [COSEKEYS.crv, is(COSECRV.ED25519)],
    [COSEKEYS.x, bytes(32)]
  ],
  [COSEALG.RS256]: [
    [COSEKEYS.kty, is(COSEKTY.RSA)],
    [COSEKEYS.alg, is(COSEALG.RS256)],
    [COSEKEYS.n, bytes(256, 512)], // 2048 to 4096 bits
    [COSEKEYS.e, bytes(1, 4)] // a longer one would make each verification slow
  ]
}

/** The algorithms that passkeys may have. Each is sound, and between them all authenticators know one. */
export const algorithms = [COSEALG.EdDSA, COSEALG.ES256, COSEALG.RS256]

/** A COSE key with what its algorithm needs, and nothing else that came with it. Undefined if that isn't there. */
export function canonicalKey(publicKey: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  const key = isoCBOR.decodeFirst<Map<number, unknown>>(publicKey)
  const needed = labels[key.get(COSEKEYS.alg) as COSEALG]

  return needed?.every(([label, rule]) => rule(key.get(label)))
    ? isoCBOR.encode(new Map(needed.map(([label]) => [label, key.get(label) as number | Uint8Array])))
    : undefined
}
