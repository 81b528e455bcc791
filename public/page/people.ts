import type { Client, Role, Session, User } from './client.js'
import { deviceRow, showSession } from './devices.js'
import { arrange, copyOf, disclose, fadeOut, onClick, part, setText, setVisible } from './dom.js'
import { eventList } from './events.js'
import { ask, notify, notifyError } from './notices.js'
import { pager } from './pager.js'
import { nameOf, plural, type ServiceError } from './words.js'

const perPage = 8
const pause = 250 // ms from the last keystroke to the search
const ranks: Role[] = ['admin', 'moderator', 'user']
// Sorted by _id too: otherwise users created at the same moment could be on two pages
const newestFirst = { createdAt: -1, _id: -1 }
const last = '\uffff' // sorts behind all letters

const rankOf = ({ roles }: User): Role => ranks.find((role) => roles.includes(role)) ?? 'user'
const calledBy = ({ name, email }: Pick<User, 'name' | 'email'>): string => name ?? email

/** For admins: all users, their roles and their devices. */
export function people(app: Client) {
  const users = app.service('users')
  const rows = new Map<string, HTMLElement>()
  const list = part('people-list')
  const input = part('search').querySelector('input')!
  const pages = pager(part('pages', part('people')), perPage, load)
  let self: User | undefined
  let hasFactors = false // the service
  let asked = 0
  let timer: ReturnType<typeof setTimeout>

  users.on('patched', (user: User) => showIfListed(user))
  users.on('created', () => soon())
  users.on('removed', () => soon())
  input.addEventListener('input', () => {
    pages.reset()
    soon()
  })
  part('search').addEventListener('submit', (event) => event.preventDefault())

  function soon(): void {
    clearTimeout(timer)
    timer = setTimeout(() => self && void load(), pause)
  }

  async function load(): Promise<void> {
    const turn = ++asked
    const query = {
      $limit: perPage,
      $skip: pages.skip,
      $sort: newestFirst,
      ...startingWith(input.value.trim())
    }

    list.setAttribute('aria-busy', 'true')

    try {
      const { data, total } = await users.find({ query })

      // Ignores the answer to an older request
      if (turn === asked && self) {
        show(data, total)
      }
    } catch (error) {
      notifyError(error as Error)
    }
  }

  function show(data: User[], total: number): void {
    const kept = new Set(data.map(({ _id }) => _id))

    rows.forEach((_row, id) => kept.has(id) || rows.delete(id))
    data.forEach((user) => {
      const row = rows.get(user._id) ?? newRow(user)

      rows.set(user._id, row)
      showUser(row, user)
    })
    arrange(
      list,
      data.map(({ _id }) => rows.get(_id)!)
    )

    list.setAttribute('aria-busy', 'false')
    setText(input.value.trim() ? `${total} found` : plural(total, 'account'), 'people-count')
    setVisible(total === 0, 'nobody')
    pages.show(total)
  }

  function showIfListed(user: User): void {
    const row = rows.get(user._id)

    if (row) {
      showUser(row, user)
      trails.get(row)!.soon()
    }
  }

  function newRow(user: User): HTMLElement {
    const row = copyOf('person')
    const role = part<HTMLSelectElement>('role', row)
    const inner = part('session-list', row)
    const trail = eventList(app, () => ({ userId: user._id }))

    role.addEventListener('change', () => void change(row, { roles: [role.value as Role] }))
    onClick(part('disable', row), () => toggleDisabled(row))
    onClick(part('reset', row), () => reset(row))
    onClick(part('clear-factors', row), () => clearFactors(row))
    disclose(part('sessions', row), inner, () => listSessions(inner, user))
    disclose(part('trail', row), trail.element, () => trail.load())
    trail.element.classList.add('inner')
    trail.element.hidden = true
    trails.set(row, trail)
    row.append(trail.element)

    return row
  }

  const shown = new WeakMap<HTMLElement, User>()
  const trails = new WeakMap<HTMLElement, ReturnType<typeof eventList>>()

  function showUser(row: HTMLElement, user: User): void {
    const { _id, email, disabled } = user
    const name = calledBy(user)
    const isSelf = _id === self?._id
    const role = part<HTMLSelectElement>('role', row)

    shown.set(row, user)
    setText(name, 'name', row)
    setText(email, 'email', row)
    part('email', row).hidden = name === email
    setText(Array.from(name)[0]!.toUpperCase(), 'initial', row)
    setVisible(isSelf, 'self', row)
    setVisible(disabled, 'disabled', row)
    row.classList.toggle('is-disabled', disabled)
    setText(disabled ? 'Enable' : 'Disable', 'disable', row)
    role.value = rankOf(user)
    role.setAttribute('aria-label', `Role of ${name}`)
    // Admins can't lock themselves out by accident
    role.disabled = isSelf
    setVisible(!isSelf, 'disable', row)
    // Only with mail
    setVisible(!isSelf && !disabled && user.emailVerified !== undefined, 'reset', row)
    setVisible(!isSelf && hasFactors, 'clear-factors', row)
    part('clear-factors', row).setAttribute('aria-label', `Two-step off for ${name}`)
    part('reset', row).setAttribute('aria-label', `Reset the password of ${name}`)
    part('disable', row).setAttribute('aria-label', `${disabled ? 'Enable' : 'Disable'} ${name}`)
    part('sessions', row).setAttribute('aria-label', `Devices of ${name}`)
    part('trail', row).setAttribute('aria-label', `Activity of ${name}`)
  }

  async function change(row: HTMLElement, data: { roles?: Role[]; disabled?: boolean }): Promise<void> {
    const user = shown.get(row)!

    try {
      const changed = await users.patch(user._id, data)

      showUser(row, changed)
      notify(
        data.roles
          ? `${calledBy(changed)} is ${{ user: 'a user', moderator: 'a moderator', admin: 'an admin' }[rankOf(changed)]} now.`
          : `${calledBy(changed)} is ${changed.disabled ? 'disabled' : 'enabled'} now.`
      )
    } catch (error) {
      showUser(row, user)
      notifyError(error as Error)
    }
  }

  async function reset(row: HTMLElement): Promise<void> {
    const user = shown.get(row)!

    await app
      .service('password-resets')
      .create({ email: user.email })
      .then(() => notify(`${calledBy(user)} gets a mail with a link to choose a new password.`), notifyError)
  }

  /** For somebody who has lost phone and codes. */
  async function clearFactors(row: HTMLElement): Promise<void> {
    const { _id: userId, ...user } = shown.get(row)!
    const sure = await ask({
      title: `Turn off two-step sign-in of ${calledBy(user)}?`,
      text:
        'All apps, passkeys and recovery codes of the account are removed, and all its devices signed out. Be sure that ' +
        'it is its owner who asked you.',
      yes: 'Turn it off'
    })

    if (sure) {
      await app
        .service('factors')
        .remove(null, { query: { userId } })
        .then(() => notify(`A password is enough for ${calledBy(user)} to sign in now.`), notifyError)
    }
  }

  async function toggleDisabled(row: HTMLElement): Promise<void> {
    const user = shown.get(row)!
    const sure =
      user.disabled ||
      (await ask({
        title: `Disable ${calledBy(user)}?`,
        text: 'All devices of the account are signed out at once, and it can not sign in until it is enabled.',
        yes: 'Disable'
      }))

    if (sure) {
      await change(row, { disabled: !user.disabled })
    }
  }

  async function listSessions(inner: HTMLElement, user: User): Promise<void> {
    const query = { userId: user._id }
    const sessions = app.service('sessions')

    const end = async (session: Session, row: HTMLElement) => {
      try {
        await sessions.remove(session.id, { query })
        notify(`${nameOf(session.device)} of ${calledBy(user)} was signed out.`)
        part('sessions', inner.parentElement!).focus()
        fadeOut(row)
        trails.get(inner.parentElement!)!.soon()
      } catch (error) {
        notifyError(error as Error)
      }
    }
    const rowOf = (session: Session) => {
      const row = deviceRow({ end: () => end(session, row) })

      showSession(row, session)
      return row
    }

    try {
      const found = await sessions.find({ query })
      const none = document.createElement('li')

      none.className = 'empty'
      none.textContent = 'Signed in nowhere.'
      inner.replaceChildren(...(found.length > 0 ? found.map(rowOf) : [none]))
    } catch (error) {
      notifyError(error as Error)
    }
  }

  return {
    /** Shows the list to admins only. */
    async show(user: User): Promise<void> {
      const isAdmin = rankOf(user) === 'admin'

      part('people').hidden = !isAdmin
      self = isAdmin ? user : undefined

      if (isAdmin) {
        hasFactors = await app
          .service('factors')
          .find()
          .then(
            () => true,
            ({ code }: ServiceError) => code !== 404
          )
        await load()
      }
    },
    clear(): void {
      self = undefined
      pages.reset()
      input.value = ''
      part('people').hidden = true
      rows.clear()
      list.replaceChildren()
    }
  }
}

/** Feathers has no operator for substrings, but a prefix is a range. */
const startingWith = (text: string): object =>
  text ? { $or: ['name', 'email'].map((field) => ({ [field]: { $gte: text, $lt: text + last } })) } : {}
