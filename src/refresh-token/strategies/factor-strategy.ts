import {
  AuthenticationBaseStrategy,
  type AuthenticationBase,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import type { Params } from '@feathersjs/feathers'
import { Type, type TObject, type TProperties } from '@feathersjs/typebox'
import { requireMoult, type AuthenticationService } from '../authentication-service.js'
import { givenFactor, type AskedFactor, type GivenFactor } from '../factor-gate.js'
import { deviceSchema } from '../sessions/device.js'
import type { Device } from '../sessions/session.js'
import { checkedBy } from '../validation.js'

/** What its requests have in common. */
export interface FactorRequest extends AuthenticationRequest {
  challenge?: string
  device?: Device
}

/**
 * A strategy that gives a further factor: it completes a login whose `challenge` it is sent or, with `stepUp: true`, gives
 * credentials again for the session at hand. What it verified is used up by the update that opens or raises the session.
 */
export abstract class FactorStrategy extends AuthenticationBaseStrategy {
  declare authentication: AuthenticationService
  /** The schema of its requests. */
  requestSchema!: TObject
  #check!: (data: unknown) => FactorRequest

  override setAuthentication(service: AuthenticationBase): void {
    requireMoult(service, 'A strategy for a factor needs')
    this.authentication = service
    this.requestSchema = Type.Object(
      {
        strategy: Type.String(),
        challenge: Type.Optional(Type.String()),
        device: Type.Optional(deviceSchema),
        // Of a session that the client has anyway: guesses of strangers don't count against it
        [service.settings.field]: Type.Optional(Type.String()),
        ...this.fields()
      },
      { additionalProperties: false }
    )
    this.#check = checkedBy(this.requestSchema)
  }

  /** The fields of its requests beside `challenge` and `device`, as in a schema. */
  abstract fields(): TProperties

  /** The challenge of the gate that a request answers, which may be malformed; a strategy may have it elsewhere. */
  gateOf({ challenge }: AuthenticationRequest): unknown {
    return challenge
  }

  /**
   * Whom the factor is asked of.
   *
   * @throws Refused `invalid`, `expired`, `disabled`; BadRequest
   */
  asked(request: FactorRequest, params: Params): Promise<AskedFactor> {
    return this.authentication.gate.asked(this.name!, request, params)
  }

  /**
   * Verifies what the user gave.
   *
   * @throws Refused `invalid`
   */
  abstract verify(
    asked: AskedFactor,
    request: AuthenticationRequest,
    params: Params
  ): Promise<Omit<GivenFactor, 'first'>>

  /**
   * @throws BadRequest for a malformed request
   * @throws Refused `invalid`; `expired` for a challenge that is late, used, tried too often, or void; `disabled`
   */
  async authenticate(request: AuthenticationRequest, params: Params): Promise<AuthenticationResult> {
    const { authentication } = this
    const checked = this.#check(request)
    const asked = await this.asked(checked, params)
    const given = await this.verify(asked, checked, params)

    return {
      authentication: { strategy: this.name },
      [authentication.configuration.entity!]: await authentication.presentEntity(asked.user, params),
      [givenFactor]: { ...given, ...(asked.first && { first: asked.first }) } satisfies GivenFactor
    } as AuthenticationResult
  }
}
