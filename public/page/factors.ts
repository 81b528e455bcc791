import type { Client, Factor, User } from './client.js'
import { renaming } from './devices.js'
import { arrange, copyOf, onClick, part, setText, setVisible } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { ask, notify, notifyError } from './notices.js'
import type { Passkeys } from './passkeys.js'
import { recoveryCodes, showRecoveryCodes } from './recovery-codes.js'
import { ago, explain, kindOf, plural, type ServiceError } from './words.js'

const allCodes = 10
const fewCodes = 3

const kinds: Record<string, string> = { totp: 'Authenticator app', passkey: 'Passkey' }
/** In a sentence: a passkey may have the name of a device. */
const calledBy = ({ kind, name }: Pick<Factor, 'kind' | 'name'>): string =>
  name ? `the ${kind === 'passkey' ? 'passkey' : 'app'} ${name}` : 'the authenticator app'

const nameOf = ({ kind, name }: Pick<Factor, 'kind' | 'name'>): string => name ?? kinds[kind] ?? kind

/**
 * The further factors of the user: apps for codes, passkeys, and the recovery codes that come with them.
 *
 * @param user Who is signed in
 * @param changed Called when they have changed
 */
export function factors(
  app: Client,
  browser: Passkeys,
  { user, changed }: { user: () => User | undefined; changed: () => void }
) {
  const service = app.service('factors')
  const list = part('factors')
  const dialog = part<HTMLDialogElement>('app-dialog')
  const form = part<HTMLFormElement>('app-form')
  let shown: Factor[] = []
  let pending: string | undefined // the id of the app that is being added
  let asked = 0

  recoveryCodes()
  onClick(part('add-app'), () => addApp().catch(notifyError))
  onClick(part('add-passkey'), () => addPasskey().catch(notifyError))
  onClick(part('app-cancel'), () => dialog.close())
  dialog.addEventListener('close', forgetApp)
  handleForm(form, confirmApp, (error) =>
    error.code === 400 && error.data?.reason === 'invalid'
      ? 'That code is not right. Is the clock of the device with the app set to the right time?'
      : error.code === 404
        ? 'That took too long. Cancel, and begin again.'
        : explain(error)
  )

  async function load(): Promise<void> {
    const turn = ++asked

    try {
      const [found, hasPasskeys] = await Promise.all([service.find(), browser.isOffered()])

      if (turn === asked) {
        show(found)
        setVisible(hasPasskeys, 'add-passkey')
      }
    } catch (error) {
      if ((error as ServiceError).code !== 404) {
        throw error
      }

      part('security').hidden = true // the service has no factors
    }
  }

  function show(found: Factor[]): void {
    const isOn = found.length > 0

    shown = found
    setText(
      isOn
        ? 'On: a password alone signs nobody in any more.'
        : 'Off: whoever knows your password can sign in. Add a second step, and it takes that as well.',
      'security-text'
    )
    arrange(
      list,
      found.map((factor) => (factor.left === undefined ? factorRow(factor) : codesRow(factor.left)))
    )
    part('security').hidden = false
  }

  function factorRow(factor: Factor): HTMLElement {
    const row = copyOf('factor')

    setText(when(factor), 'when', row)
    part('icon', row).setAttribute('href', factor.kind === 'passkey' ? '#key' : '#phone')
    onClick(part('remove', row), () => remove(factor))
    renaming(
      row,
      factor.kind === 'passkey'
        ? async (newName) => {
            factor.name = (await app.service('passkeys').patch(factor.id, { name: newName })).name!
            showName(row, factor)
          }
        : undefined
    )
    showName(row, factor)

    return row
  }

  function showName(row: HTMLElement, factor: Pick<Factor, 'kind' | 'name'>): void {
    setText(nameOf(factor), 'name', row)
    part('remove', row).setAttribute('aria-label', `Remove ${calledBy(factor)}`)
    part('rename', row).setAttribute('aria-label', `Rename ${calledBy(factor)}`)
  }

  function codesRow(left: number): HTMLElement {
    const row = copyOf('codes')

    setText(`${left} of ${allCodes} left`, 'left', row)
    row.classList.toggle('few', left <= fewCodes)
    onClick(part('renew-codes', row), () => renewCodes().catch(notifyError))

    return row
  }

  async function addApp(): Promise<void> {
    const [{ id, secret, uri }, { qrCode }] = await Promise.all([
      service.create({ kind: 'totp' }),
      import('./qr.js')
    ])

    pending = id
    part('qr').replaceChildren(qrCode(uri))
    setText(inGroups(secret), 'app-secret')
    part<HTMLAnchorElement>('app-link').href = uri
    dialog.showModal()
    document.getElementById('app-title')!.focus()
  }

  async function confirmApp({ code = '', name = '' }: Record<string, string>): Promise<void> {
    const others = await countOthers()
    const label = name.trim()
    const { recoveryCodes } = await service.patch(pending!, {
      code: code.trim(),
      ...(label && { name: label })
    })

    dialog.close()
    await added('The app is added.', others, recoveryCodes)
  }

  /** Nothing of the secret stays in the page. */
  function forgetApp(): void {
    pending = undefined
    part('qr').replaceChildren()
    setText('', 'app-secret')
    part('app-link').removeAttribute('href')
    resetForm(form)
  }

  async function addPasskey(): Promise<void> {
    const made = await browser.create('register')
    const others = await countOthers()
    const { recoveryCodes } = await app
      .service('passkeys')
      .create({ ...made, name: kindOf({ userAgent: navigator.userAgent }) })

    await added('The passkey is added.', others, recoveryCodes)
  }

  async function added(sentence: string, others: number, codes: string[] | undefined): Promise<void> {
    if (codes) {
      await showRecoveryCodes(codes, owner(), await fateOf(others))
    }

    notify(sentence)
    changed()
    // Adding it was a step-up, of which the next access token tells
    await Promise.all([load(), app.authentication.renew().catch(notifyError)])
  }

  const owner = (): string => `${user()!.email} · ${location.host}`

  const countOthers = async (): Promise<number> => (await app.service('sessions').find()).length - 1

  /** What became of other devices with the first factor: a setting of the service decides. */
  async function fateOf(before: number): Promise<string> {
    const left = await countOthers()

    return before === 0
      ? ''
      : left === 0
        ? 'Your other devices were signed out, since they had signed in without it.'
        : `${plural(left, 'other device')} that signed in without it ${left === 1 ? 'stays' : 'stay'} signed in.`
  }

  async function renewCodes(): Promise<void> {
    const sure = await ask({
      title: 'Make new recovery codes?',
      text: 'The ones that you have now will no longer work.',
      yes: 'Make new ones'
    })

    if (sure) {
      const { recoveryCodes } = await service.create({ kind: 'recovery-codes' })

      await showRecoveryCodes(recoveryCodes, owner())
      await load()
    }
  }

  async function remove(factor: Factor): Promise<void> {
    const name = calledBy(factor)
    const isLast = shown.filter(({ left }) => left === undefined).length === 1
    const sure = await ask({
      title: `Remove ${name}?`,
      text: isLast
        ? 'It is the last one: two-step sign-in is then off, and your recovery codes no longer work.'
        : 'It no longer signs you in.',
      yes: 'Remove'
    })

    if (sure) {
      try {
        await (factor.kind === 'passkey' ? app.service('passkeys') : service).remove(factor.id)
        document.getElementById('security-title')!.focus()
        notify(`You have removed ${name}.`)
        changed()
        await load()
      } catch (error) {
        notifyError(error as ServiceError)
      }
    }
  }

  return {
    load,
    clear(): void {
      asked++
      shown = []
      list.replaceChildren()
      part('security').hidden = true
      dialog.close()
    }
  }
}

const when = ({ createdAt, usedAt }: Factor): string =>
  [`Added ${ago(createdAt!)}`, usedAt && `used ${ago(usedAt)}`].filter(Boolean).join(' · ')

/** Easier to type. */
const inGroups = (secret: string): string => secret.match(/.{1,4}/g)!.join(' ')
