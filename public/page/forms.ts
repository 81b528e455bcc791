import { copyOf, part, setText } from './dom.js'
import { explain, explainField, type ServiceError } from './words.js'

type Values = Record<string, string>

let count = 0 // of fields, to number the ids of their errors

/**
 * Sends a form through `submit`, one submission at a time, and shows what is wrong with a field beside it.
 *
 * @param submit Gets the values by field name. Its errors are shown
 */
export function handleForm(
  form: HTMLFormElement,
  submit: (values: Values) => Promise<unknown>,
  explainRefusal: (error: ServiceError) => string = explain
): void {
  const fields = [...form.querySelectorAll<HTMLInputElement>('.field input')]
  let busy = false

  fields.forEach(addErrorLine)
  form.querySelectorAll('.secret').forEach(addToggle)

  form.addEventListener('input', ({ target }) => setError(target as HTMLInputElement, ''))
  form.addEventListener('submit', (event) => {
    event.preventDefault()

    if (busy || !isComplete(form, fields)) {
      return
    }

    busy = true
    form.setAttribute('aria-busy', 'true')
    setText('', 'refusal', form)

    void submit(valuesOf(form))
      .catch((error: ServiceError) => showError(form, fields, error, explainRefusal))
      .finally(() => {
        busy = false
        form.removeAttribute('aria-busy')
      })
  })
}

/** Clears the values and errors of a form. */
export function resetForm(form: HTMLFormElement): void {
  form.reset()
  form.querySelectorAll<HTMLInputElement>('.field input').forEach((field) => setError(field, ''))
  form.querySelectorAll<HTMLInputElement>('.secret input').forEach((field) => (field.type = 'password'))
  form.querySelectorAll('.secret .toggle').forEach((toggle) => setText('Show', 'verb', toggle))
  setText('', 'refusal', form)
}

/** Shows why something was refused that concerns no field. */
export const showRefusal = (form: HTMLFormElement, sentence: string): void =>
  setText(sentence, 'refusal', form)

/** The values of a form, which are all strings: it has no file inputs. */
const valuesOf = (form: HTMLFormElement): Values =>
  Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value as string]))

function isComplete(form: HTMLFormElement, fields: HTMLInputElement[]): boolean {
  const empty = fields.filter((field) => field.required && field.value.trim() === '')

  fields.forEach((field) => setError(field, empty.includes(field) ? 'Please fill this in.' : ''))
  setText('', 'refusal', form)
  empty[0]?.focus()

  return empty.length === 0
}

function showError(
  form: HTMLFormElement,
  fields: HTMLInputElement[],
  error: ServiceError,
  explainRefusal: (error: ServiceError) => string
): void {
  const wrong = fields.filter((field) => messageFor(field, error) !== undefined)

  wrong.forEach((field) => setError(field, explainField(messageFor(field, error)!)))

  if (wrong.length === 0) {
    showRefusal(form, explainRefusal(error))
  }

  ;(wrong[0] ?? fields.find(({ type }) => type === 'password') ?? fields[0])?.focus()
}

/** The service names nested fields by path: `device.name`, `device/name`. */
const messageFor = ({ name }: HTMLInputElement, { errors }: ServiceError): string | undefined =>
  Array.isArray(errors) ? errors.find(({ field }) => field.split(/[./]/).at(-1) === name)?.message : undefined

function addErrorLine(field: HTMLInputElement): void {
  const line = document.createElement('p')
  const hint = field.getAttribute('aria-describedby')

  line.className = 'error'
  line.id = `error-${++count}`
  ;(field.closest('.secret, .row') ?? field).after(line)
  field.setAttribute('aria-describedby', [line.id, hint].filter(Boolean).join(' '))
}

function setError(field: HTMLInputElement, message: string): void {
  const line = field.closest('.field')?.querySelector('.error')

  if (line) {
    line.textContent = message
    field.setAttribute('aria-invalid', String(message !== ''))
  }
}

/** Adds a button that shows and hides a password. */
function addToggle(secret: Element): void {
  const input = secret.querySelector('input')!
  const toggle = copyOf('toggle')

  toggle.addEventListener('click', () => {
    input.type = input.type === 'password' ? 'text' : 'password'
    part('verb', toggle).textContent = input.type === 'password' ? 'Show' : 'Hide'
    input.focus()
  })
  secret.append(toggle)
}
