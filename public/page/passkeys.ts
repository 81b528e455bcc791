import type { Ceremony, Client } from './client.js'
import type { ServiceError } from './words.js'

type Response = Promise<{ challenge: string; response: object }>

/** Whether the browser has passkeys. */
export const hasPasskeys = 'PublicKeyCredential' in window

/** The passkeys of the browser. The library for them is loaded when it is needed. */
export function passkeys(app: Client) {
  const challenges = app.service('passkey-challenges')
  const library = () => import('./webauthn.js')
  let isSuggesting = false

  // The service has no `find`: where it exists, it answers 405 rather than 404
  const isOffered = challenges.find().catch(({ code }: ServiceError) => code === 405)

  return {
    /** Whether both the service and this browser have passkeys. */
    isOffered: async (): Promise<boolean> => hasPasskeys && isOffered,

    /** Whether the browser suggests passkeys in a field. */
    suggests: async (): Promise<boolean> =>
      hasPasskeys &&
      'isConditionalMediationAvailable' in PublicKeyCredential &&
      PublicKeyCredential.isConditionalMediationAvailable(),

    /** Makes a passkey, for an account of this name. */
    async create(purpose: 'register' | 'sign-up', name?: string): Response {
      const { id, options } = await challenges.create({ purpose })
      const { startRegistration } = await library()
      const user = { ...options.user, ...(name && { name, displayName: name }) }

      return { challenge: id, response: await done(startRegistration({ optionsJSON: { ...options, user } })) }
    },

    /** Uses a passkey. @param challenge Of the refusal `factor` */
    async use(purpose: 'sign-in' | 'step-up' | 'factor', challenge?: string): Response {
      const { id, options } = await challenges.create({ purpose, ...(challenge && { challenge }) })
      const { startAuthentication } = await library()

      return { challenge: id, response: await done(startAuthentication({ optionsJSON: options })) }
    },

    /** Waits until one is chosen from the suggestions of a field. */
    async suggested({ id, options }: Ceremony): Response {
      const { startAuthentication } = await library()

      isSuggesting = true
      return {
        challenge: id,
        response: await startAuthentication({ optionsJSON: options, useBrowserAutofill: true })
      }
    },

    /** Ends such waiting. */
    stop(): void {
      if (isSuggesting) {
        isSuggesting = false
        void library().then(({ WebAuthnAbortService }) => WebAuthnAbortService.cancelCeremony())
      }
    }
  }
}

export type Passkeys = ReturnType<typeof passkeys>

/** What the browser answers; its refusals as the page explains errors. @throws ServiceError */
async function done<T>(ceremony: Promise<T>): Promise<T> {
  try {
    return await ceremony
  } catch (error) {
    throw Object.assign(new Error(refusals[(error as Error).name] ?? 'No passkey was used'), { code: 400 })
  }
}

const refusals: Record<string, string> = {
  InvalidStateError: 'This device has a passkey for the account already'
}
