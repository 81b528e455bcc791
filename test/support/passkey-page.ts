// What runs in a page of the tests: it asks the service for challenges, and the browser's authenticator for responses.
import { startAuthentication, startRegistration } from '@simplewebauthn/browser'

const page: any = ((globalThis as any).inPage = {})

const ask = async (method: string, path: string, body?: object, token?: string) => {
  const response = await fetch(path, {
    method,
    headers: {
      'Content-Type': 'application/json',
      ...(token !== undefined && { Authorization: `Bearer ${token}` })
    },
    ...(body && { body: JSON.stringify(body) })
  })

  return { status: response.status, body: await response.json() }
}

const challenge = async (data: object, token?: string): Promise<any> =>
  (await ask('POST', '/passkey-challenges', data, token)).body

page.ask = ask
page.add = async (token: string, name?: string) => {
  const { id, options } = await challenge({ purpose: 'register' }, token)
  const response = await startRegistration({ optionsJSON: options })

  return ask('POST', '/passkeys', { challenge: id, response, name }, token)
}
page.signUp = async (email: string) => {
  const { id, options } = await challenge({ purpose: 'sign-up' })
  const user = { ...options.user, name: email, displayName: email }
  const response = await startRegistration({ optionsJSON: { ...options, user } })

  return ask('POST', '/users', { email, passkey: { challenge: id, response } })
}
page.signIn = async ({ autofill = false } = {}) => {
  const { id, options } = await challenge({ purpose: 'sign-in' })
  const response = await startAuthentication({ optionsJSON: options, useBrowserAutofill: autofill })

  return ask('POST', '/authentication', { strategy: 'passkey', challenge: id, response })
}
/** Answers the refusal `factor`. */
page.giveFactor = async (gate: string) => {
  const { id, options } = await challenge({ purpose: 'factor', challenge: gate })
  const response = await startAuthentication({ optionsJSON: options })

  return ask('POST', '/authentication', { strategy: 'passkey', challenge: id, response })
}
page.stepUp = async (token: string) => {
  const { id, options } = await challenge({ purpose: 'step-up' }, token)
  const response = await startAuthentication({ optionsJSON: options })

  return ask('POST', '/authentication', { strategy: 'passkey', challenge: id, response, stepUp: true }, token)
}
