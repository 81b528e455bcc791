import type { AuditEvent, Client, Page } from './client.js'
import { arrange, copyOf, onClick, part, setText, setVisible } from './dom.js'
import { deviceOf, exactly, isSuspicious, symbolOf, tell, whence } from './event-words.js'
import { pager } from './pager.js'
import { ago, explain, type ServiceError } from './words.js'

const perPage = 10
const settling = 300 // ms: an event is in the trail 50 ms after it happened, and some more where many are
const apart = 2000 // ms between two looks at the trail, however much happens

/**
 * A list of what happened to an account, newest first, in an element of its own. Where the service keeps no audit
 * trail, the page shows nothing of it (`without-trail`).
 *
 * @param query Whose events, and of which type
 */
export function eventList(app: Client, query: () => { userId?: string; type?: string }) {
  const element = copyOf('events')
  const list = part('events', element)
  const pages = pager(part('pages', element), perPage, load)
  const rows = new Map<string, HTMLElement>()
  let total: number | undefined
  let asked = 0
  let lookedAt = -Infinity
  let timer: ReturnType<typeof setTimeout> | undefined

  onClick(part('again', element), load)

  /** Whether the answer counts: of two, the one to the later question does. */
  async function load(): Promise<boolean> {
    const turn = ++asked

    lookedAt = performance.now()
    list.setAttribute('aria-busy', 'true')

    const answer = await find()

    if (turn !== asked) {
      return false
    }

    list.setAttribute('aria-busy', 'false')
    part('home').classList.toggle('without-trail', answer.error?.code === 404)
    setTrouble(answer.error)

    if (answer.page) {
      show(answer.page)
    }

    return true
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

  function show({ data, total: all }: Page<AuditEvent>): void {
    const shown = withoutTold(data)
    const kept = new Set(shown.map(({ _id }) => _id))

    total = all
    rows.forEach((_row, id) => kept.has(id) || rows.delete(id))
    shown.forEach((event) => rows.has(event._id) || rows.set(event._id, eventRow(event)))
    arrange(
      list,
      shown.map(({ _id }) => rows.get(_id)!)
    )
    setVisible(shown.length === 0, 'none', element)
    pages.show(all)
  }

  /** Looks again in a moment, if it is shown: once, however often this is asked for. */
  function soon(looks = 2): void {
    timer ??= setTimeout(
      () => {
        timer = undefined

        if (!element.hidden) {
          void look(looks)
        }
      },
      Math.max(settling, lookedAt + apart - performance.now())
    )
  }

  /** What a busy database has not written yet is there at the next look. */
  async function look(looks: number): Promise<void> {
    const known = total
    const counts = await load()
    const isNew = known !== undefined && total !== known

    if (counts && !isNew && looks > 1) {
      soon(looks - 1)
    }
  }

  return {
    element,
    load,
    soon,
    /** Shows the newest, of another query. */
    restart(): void {
      pages.reset()
      void load()
    },
    clear(): void {
      asked++
      total = undefined
      lookedAt = -Infinity
      clearTimeout(timer)
      timer = undefined
      pages.reset()
      setTrouble()
      rows.clear()
      list.replaceChildren()
    }
  }
}

/** A sign-in from a new device is two events, of which one tells it all. */
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

/** Says anew how long ago it is. */
export function showAge(time: HTMLTimeElement): void {
  const text = ago(time.dateTime)

  if (time.textContent !== text) {
    time.textContent = text
  }
}
