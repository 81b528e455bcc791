/** What the page takes of the library for passkeys: a script of its own, which few visits need. */
export { startAuthentication, startRegistration, WebAuthnAbortService } from '@simplewebauthn/browser'
