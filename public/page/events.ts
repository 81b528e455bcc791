import type { AuditEvent, Client, Page } from './client.js'
import { arrange, copyOf, onClick, part, setText, setVisible } from './dom.js'
import { deviceOf, exactly, isSuspicious, symbolOf, tell, whence } from './event-words.js'
import { pager } from './pager.js'
import { ago, explain, type ServiceError } from './words.js'

const perPage = 10
const settling = 300 // ms: events are written to the trail after 50 ms, or a little later under load
const apart = 1000 // ms between two requests at least, however many events there are

/**
 * A list of the events of an account, newest first, in an element of its own. If the service keeps no audit trail, the
 * page hides the list (`without-trail`).
 *
 * @param query Filters by user and type
 */
export function eventList(app: Client, query: () => { userId?: string; type?: string }) {
  const element = copyOf('events')
  const list = part('events', element)
  const pages = pager(part('pages', element), perPage, load)
  const rows = new Map<string, HTMLElement>()
  let asked = 0
  let loadedAt = -Infinity
  let reloadsLeft = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  onClick(part('again', element), load)

  async function load(): Promise<void> {
    const turn = ++asked

    loadedAt = performance.now()
    list.setAttribute('aria-busy', 'true')

    const answer = await find()

    // Ignores the answer to an older request
    if (turn !== asked) {
      return
    }

    list.setAttribute('aria-busy', 'false')
    part('home').classList.toggle('without-trail', answer.error?.code === 404)
    setTrouble(answer.error)

    if (answer.page) {
      show(answer.page)
    }
  }

  function setTrouble(error?: ServiceError): void {
    setText(error ? explain(error) : '', 'trouble', element)
    setVisible(error !== undefined, 'again', element)
  }

  async function find(): Promise<{ page?: Page<AuditEvent>; error?: ServiceError }> {
    try {
      const page = await app
        .service('events')
        .find({ query: { ...query(), $limit: perPage, $skip: pages.skip } })

      return { page }
    } catch (error) {
      return { error: error as ServiceError }
    }
  }

  function show({ data, total }: Page<AuditEvent>): void {
    const shown = withoutTold(data)
    const kept = new Set(shown.map(({ _id }) => _id))

    rows.forEach((_row, id) => kept.has(id) || rows.delete(id))
    shown.forEach((event) => rows.has(event._id) || rows.set(event._id, eventRow(event)))
    arrange(
      list,
      shown.map(({ _id }) => rows.get(_id)!)
    )
    setVisible(shown.length === 0, 'none', element)
    pages.show(total)
  }

  /** Reloads in a moment, and once more later, in case a busy database hasn't written the event by then. */
  function soon(reloads = 2): void {
    reloadsLeft = Math.max(reloadsLeft, reloads)
    timer ??= setTimeout(reload, Math.max(settling, loadedAt + apart - performance.now()))
  }

  function reload(): void {
    timer = undefined
    reloadsLeft = element.hidden ? 0 : reloadsLeft - 1

    if (!element.hidden) {
      void load()
    }
    if (reloadsLeft > 0) {
      soon(reloadsLeft)
    }
  }

  return {
    element,
    load,
    soon,
    /** Shows the first page of another query. */
    restart(): void {
      pages.reset()
      void load()
    },
    clear(): void {
      asked++
      loadedAt = -Infinity
      reloadsLeft = 0
      clearTimeout(timer)
      timer = undefined
      pages.reset()
      setTrouble()
      rows.clear()
      list.replaceChildren()
    }
  }
}

/** A sign-in from a new device makes two events; this drops the redundant one. */
function withoutTold(events: AuditEvent[]): AuditEvent[] {
  const told = events.filter(({ type }) => type === 'new-device').map(({ sessionId }) => sessionId)

  return events.filter(({ type, sessionId }) => type !== 'signed-in' || !told.includes(sessionId))
}

function eventRow(event: AuditEvent): HTMLElement {
  const row = copyOf('event')
  const time = part<HTMLTimeElement>('time', row)
  const device = deviceOf(event)

  part('icon', row).setAttribute('href', `#${symbolOf(event)}`)
  row.classList.toggle('arrived', event.type === 'signed-in')
  row.classList.toggle('careful', isSuspicious(event))
  setText(tell(event), 'what', row)
  setText(device.name ?? '', 'device', row)
  setText(whence(device), 'from', row)
  time.dateTime = event.createdAt
  time.title = exactly(event.createdAt)
  showAge(time)

  if (event.type !== 'new-device') {
    part('new', row).remove()
  }

  return row
}

/** Updates how long ago it was. */
export function showAge(time: HTMLTimeElement): void {
  const text = ago(time.dateTime)

  if (time.textContent !== text) {
    time.textContent = text
  }
}
