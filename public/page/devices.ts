import type { Client, Session } from './client.js'
import { renameThisDevice } from './device.js'
import { copyOf, fadeOut, onClick, part, play, setText, setVisible } from './dom.js'
import { handleForm } from './forms.js'
import { ask, notify, notifyError } from './notices.js'
import { departure, iconOf, kindOf, nameOf, plural, seen, signedIn } from './words.js'

const tickEvery = 15_000 // ms: times are shown in minutes

interface Row {
  session: Session
  element: HTMLElement
}

type Ended = Session & { reason?: string }

/** The live list of the devices that the user is signed in on. */
export function deviceList(app: Client, { signOut }: { signOut: () => Promise<void> }) {
  const rows = new Map<string, Row>()
  const list = part('devices')
  const sessions = app.service('sessions')

  sessions.on('created', (session: Session) => arrive(session))
  sessions.on('patched', (session: Session) => update(session))
  sessions.on('removed', (session: Ended) => leave(session))
  onClick(part('end-others'), endOthers)
  setInterval(() => rows.forEach(({ session }) => update(session)), tickEvery)

  function arrive(session: Session): void {
    if (list.hidden || rows.has(session.id)) {
      return
    }

    add(session)
    play(rows.get(session.id)!.element, 'arriving')
    count()

    if (!session.current) {
      notify(`${nameOf(session.device)} has signed in.`)
    }
  }

  function add(session: Session): void {
    const element = deviceRow({
      rename: (name) => rename(session, name),
      end: () => (session.current ? signOut() : end(session))
    })

    rows.set(session.id, { session, element })
    update(session)
    list.insertBefore(element, session.current ? list.firstChild : firstOlder(session))
  }

  /** The row that follows a new session's: the current session comes first, then the newest. */
  function firstOlder({ createdAt }: Session): Element | null {
    const older = [...rows.values()]
      .filter(({ session }) => !session.current && session.createdAt < createdAt)
      .toSorted((a, b) => b.session.createdAt.localeCompare(a.session.createdAt))

    return older[0]?.element ?? null
  }

  function update(session: Session): void {
    const row = rows.get(session.id)

    if (row) {
      // Only lists tell it
      row.session = { withoutFactor: row.session.withoutFactor ?? false, ...session }
      showSession(row.element, row.session)
    }
  }

  function leave(session: Ended): void {
    const row = rows.get(session.id)

    if (row && !row.session.current) {
      rows.delete(session.id)
      moveFocusFrom(row.element)
      fadeOut(row.element)
      count()
      notify(departure(nameOf(session.device), session.reason))
    }
  }

  /** Keeps the focus in the list when the row that has it is removed. */
  function moveFocusFrom(element: Element): void {
    if (element.contains(document.activeElement)) {
      document.getElementById('devices-title')!.focus()
    }
  }

  function count(): void {
    setVisible(rows.size > 1, 'end-others')
    setVisible(rows.size === 1, 'alone')
  }

  async function rename(session: Session, name: string): Promise<void> {
    update(await sessions.patch(session.id, { device: { name } }))

    if (session.current) {
      renameThisDevice(name)
    }
  }

  const end = (session: Session) => sessions.remove(session.id).catch(notifyError)

  async function endOthers(): Promise<void> {
    const others = rows.size - 1
    const sure = await ask({
      title: 'Sign out all others?',
      text: `${plural(others, 'other device')} will have to sign in again. This browser stays.`,
      yes: 'Sign out all others'
    })

    if (sure) {
      await sessions.remove(null, { query: { current: false } }).catch(notifyError)
    }
  }

  return {
    /** Reloads the list, because events may have been missed. */
    async load(): Promise<void> {
      const live = await sessions.find()

      const ids = new Set(live.map(({ id }) => id))

      list.hidden = false
      rows.forEach(({ element }, id) => ids.has(id) || (element.remove(), rows.delete(id)))
      live.forEach((session) =>
        rows.has(session.id) ? update({ withoutFactor: false, ...session }) : add(session)
      )
      list.setAttribute('aria-busy', 'false')
      count()
    },
    clear(): void {
      list.hidden = true
      rows.forEach(({ element }) => element.remove())
      rows.clear()
    }
  }
}

/** A row of a list of sessions. Another user's rows have no `rename`. */
export function deviceRow(actions: {
  rename?: (name: string) => Promise<void>
  end: () => unknown
}): HTMLElement {
  const element = copyOf('device')

  renaming(element, actions.rename)
  onClick(part('end', element), async () => actions.end())

  return element
}

/** The form to rename what a row shows, in place of its heading; hidden without `rename`. */
export function renaming(element: HTMLElement, rename: ((name: string) => Promise<void>) | undefined): void {
  const button = part('rename', element)
  const form = part<HTMLFormElement>('rename-form', element)
  const title = element.querySelector('h3')!
  const input = form.querySelector('input')!

  const edit = (editing: boolean) => {
    form.hidden = !editing
    title.hidden = editing
    button.hidden = editing
    ;(editing ? input : button).focus()
  }

  button.hidden = !rename
  handleForm(form, async ({ name = '' }) => {
    await rename?.(name.trim())
    edit(false)
  })
  button.addEventListener('click', () => {
    input.value = part('name', element).textContent ?? ''
    edit(true)
    input.select()
  })
  part('cancel', element).addEventListener('click', () => edit(false))
  form.addEventListener('keydown', ({ key }) => key === 'Escape' && edit(false))
}

export function showSession(element: HTMLElement, session: Session): void {
  const { device, current, withoutFactor = false } = session
  const name = nameOf(device)

  setText(name, 'name', element)
  setText(seen(session), 'seen', element)
  setDetail(device.name ? kindOf(device) : signedIn(session), 'what', element)
  setDetail(device.ip && `IP ${device.ip}`, 'ip', element)
  part('icon', element).setAttribute('href', `#${iconOf(device)}`)
  setVisible(current, 'current', element)
  setVisible(withoutFactor, 'without-factor', element)
  element.classList.toggle('here', current)

  part('rename', element).setAttribute('aria-label', `Rename ${name}`)
  part('end', element).setAttribute('aria-label', current ? 'Sign out this browser' : `Sign out ${name}`)
  setVisible(!current, 'end', element)
}

function setDetail(text: string | undefined, name: string, element: HTMLElement): void {
  setText(text ?? '', name, element)
  setVisible(text !== undefined, name, element)
}
