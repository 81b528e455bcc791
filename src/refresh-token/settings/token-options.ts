import type {
  AuthenticationService as FeathersAuthenticationService,
  JwtVerifyOptions
} from '@feathersjs/authentication'
import type { sessionEnd, AccessTokenOptions } from '../tokens/access-token.js'
import type { Expected, Requirements } from '../tokens/claims.js'
import { toMilliseconds } from './duration.js'
import type { Settings } from './settings.js'

// Taken from Feathers' types, because an app that uses the package may not have the types of `jsonwebtoken`
type CreateArguments = Parameters<FeathersAuthenticationService['createAccessToken']>

/** Feathers' options to sign an access token, and when its session ends. */
export type SignOptions = NonNullable<CreateArguments[1]> & { [sessionEnd]?: number }
export type Secret = NonNullable<CreateArguments[2]>

/** What the caller of `verifyAccessToken` expects of a token. */
export interface Expectations {
  /** An issuer and an audience in place of the configured ones. */
  expected: Partial<Expected>
  required: Requirements
  algorithms: string[] | undefined
}

/**
 * Reads the options of `createAccessToken`.
 *
 * @throws Error for options that can't be obeyed
 */
export function readSignOptions(options: SignOptions, settings: Settings): AccessTokenOptions {
  const { expiresIn = settings.accessLife / 1000, notBefore, ...others } = options

  requireObeyable(others, settings.accessTokens.algorithm)

  return {
    ...others,
    audience: others.audience as string | undefined,
    expiresIn: toSeconds('expiresIn', expiresIn),
    ...(notBefore !== undefined && { notBefore: toSeconds('notBefore', notBefore) })
  }
}

/** Reads the options of `verifyAccessToken`. @throws Error for a duration that can't be used */
export function readVerifyOptions({
  issuer,
  audience,
  algorithms,
  maxAge,
  ...required
}: JwtVerifyOptions): Expectations {
  return {
    expected: { ...(issuer && { issuer }), ...(audience && { audience }) },
    required: { ...required, ...(maxAge !== undefined && { maxAge: toSeconds('maxAge', maxAge) }) },
    algorithms
  }
}

function toSeconds(name: string, duration: unknown): number {
  const milliseconds = toMilliseconds(duration)

  if (milliseconds === undefined) {
    throw new Error(
      `The token option ${name} is ${JSON.stringify(duration)}: write a duration such as "15m", or a number of seconds`
    )
  }

  return Math.floor(milliseconds / 1000)
}

const obeyed = ['subject', 'issuer', 'audience', 'jwtid', 'algorithm']

/** @throws Error for options that would make the token a different kind of token */
function requireObeyable(options: Record<string | symbol, unknown>, algorithm: string): void {
  const given = Object.keys(options).filter((name) => options[name] !== undefined)
  const unknown = given.find((name) => !obeyed.includes(name))

  if (unknown !== undefined) {
    throw new Error(
      `The token option ${unknown} can not be obeyed: remove it, or write one of expiresIn, notBefore, ${obeyed.join(', ')}`
    )
  }
  if (options.algorithm !== undefined && options.algorithm !== algorithm) {
    throw new Error(
      `The token option algorithm is ${JSON.stringify(options.algorithm)}, but access tokens are signed with ${algorithm}: remove it`
    )
  }
  if (options.audience !== undefined && typeof options.audience !== 'string') {
    throw new Error(
      `The token option audience is ${JSON.stringify(options.audience)}: write the name of one API, one string`
    )
  }
}
