import type { Login } from './client.js'
import { copyOf, part, play, setText } from './dom.js'
import { plural } from './words.js'

const remembered = 5 // expired tokens that are still shown
const tickEvery = 250 // ms: times are shown in seconds

/**
 * Shows the remaining life of the access token, and its renewals.
 *
 * @param expiresAt ms since 1970, by the clock of this device
 */
export function tokenLife(expiresAt: () => number | undefined) {
  let token: { jti: string; total: number } | undefined
  let renewals = 0

  setInterval(show, tickEvery)

  function show(): void {
    if (token) {
      const left = Math.max(0, Math.ceil(((expiresAt() ?? 0) - Date.now()) / 1000))
      const share = Math.min(100, (100 * left) / token.total)

      setText(`${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`, 'remaining')
      // SVG attributes, because the page's content security policy forbids style attributes
      part('arc').setAttribute('stroke-dasharray', `${share} 100`)
      part('loosening').setAttribute('opacity', String(1 - share / 100))
    }
  }

  function shed(jti: string): void {
    const old = copyOf('shed')
    const sheds = part('sheds')

    setText(short(jti), 'shed-id', old)
    sheds.prepend(old)
    ;[...sheds.children].slice(remembered).forEach((element) => element.remove())
    play(part('ring'), 'renewed')
  }

  return {
    /** Shows a new token. */
    take({ authentication: { payload } }: Login): void {
      if (payload.jti === token?.jti) {
        return
      }
      if (token) {
        renewals++
        shed(token.jti)
      }

      token = { jti: payload.jti, total: payload.exp - payload.iat }
      setText(short(payload.jti), 'token')
      setText(
        renewals === 0
          ? 'Renewed by itself before it runs out.'
          : `Renewed ${plural(renewals, 'time')} since you opened this page.`,
        'renewals'
      )
      show()
    },
    clear(): void {
      token = undefined
      renewals = 0
      part('sheds').replaceChildren()
    }
  }
}

/** The last characters of a token's id, to tell tokens apart. */
const short = (jti: string): string => jti.slice(-4)
