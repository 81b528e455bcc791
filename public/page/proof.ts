import { copyOf, onClick, part, setVisible } from './dom.js'
import { handleForm, resetForm } from './forms.js'
import { hasPasskeys } from './passkeys.js'
import { explain, type ServiceError } from './words.js'

/** The strategies by which a user proves who they are, the most convenient ones first. */
const ways = ['totp', 'passkey', 'recovery-code', 'local'] as const

export type Way = (typeof ways)[number]

let count = 0 // of fields, to number their ids

/**
 * Asks for a code, a passkey or a password: one at a time, with a button for each of the others.
 *
 * @param give Sends what was given. Its errors are shown
 */
export function proof(give: (way: Way, values: Record<string, string>) => Promise<unknown>) {
  const element = copyOf('proof')
  const forms = ways.map((way) => ({ way, form: part<HTMLFormElement>(way, element) }))
  let offered: Way[] = []

  element.querySelectorAll('.field').forEach(labelField)

  for (const { way, form } of forms) {
    handleForm(
      form,
      (values) => give(way, values),
      (error) => explainRefusal(way, error)
    )
    onClick(part(`to-${way}`, element), () => {
      show(way)
      focus()
    })
  }

  function show(chosen: Way | undefined): void {
    for (const { way, form } of forms) {
      form.hidden = way !== chosen
      setVisible(way !== chosen && offered.includes(way), `to-${way}`, element)
    }

    setVisible(chosen === undefined, 'impossible', element)
  }

  function focus(): void {
    element.querySelector<HTMLElement>('form:not([hidden]) :is(.field input, .main)')?.focus()
  }

  return {
    element,
    focus,
    /**
     * Shows what can be given.
     *
     * @param strategies Those that the service takes of the user
     * @param email For password managers
     */
    ask(strategies: string[], email = ''): void {
      this.clear()
      offered = ways.filter((way) => strategies.includes(way) && (way !== 'passkey' || hasPasskeys))
      part<HTMLInputElement>('username', element).value = email
      show(offered[0])
    },
    clear(): void {
      forms.forEach(({ form }) => resetForm(form))
    }
  }
}

/** Ids can't be in the template, which is used more than once. */
function labelField(field: Element): void {
  const input = field.querySelector('input')!

  input.id = `proof-${++count}`
  field.querySelector('label')!.htmlFor = input.id
}

const wrong: Record<Way, string> = {
  totp: 'That code is not right. Each code is good once: if you have just used one, wait for the next.',
  passkey: 'That passkey was not accepted.',
  'recovery-code': 'That code is not right, or was used before.',
  local: 'The password is not right. If the account has none, sign out and in again.'
}

const explainRefusal = (way: Way, error: ServiceError): string =>
  error.code === 401 && [undefined, 'invalid'].includes(error.data?.reason) ? wrong[way] : explain(error)
