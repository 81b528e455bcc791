import { account } from './account.js'
import { activity } from './activity.js'
import { createClient, type Login, type User } from './client.js'
import { watchStorage } from './device.js'
import { deviceList } from './devices.js'
import { door } from './door.js'
import { onClick, part, setText, setVisible } from './dom.js'
import { factors } from './factors.js'
import { takeChallenge } from './gate.js'
import { tokenLife } from './life.js'
import { mailLinks } from './mail-links.js'
import { newPassword } from './new-password.js'
import { notify, notifyError, setLine } from './notices.js'
import { passkeys } from './passkeys.js'
import { people } from './people.js'
import { stepUp } from './step-up.js'
import { explain, farewell, type ServiceError } from './words.js'

const shortOutage = 1500 // ms: a connection that returns sooner isn't reported as lost

const { app, socket } = createClient()
const signOut = () => app.logout().then(() => undefined, notifyError)
const browser = passkeys(app)
const entrance = door(app, browser)
const devices = deviceList(app, { signOut })
const life = tokenLife(() => app.authentication.expiresAt)
const self = account(app)
const trail = activity(app)
const admin = people(app)
const security = factors(app, browser, { user: () => user, changed: reloadDevices })
const links = mailLinks(app, browser, { done: leaveLink })
const choice = newPassword(app, { done: leaveChoice })

let user: User | undefined // the signed-in user
let line: ReturnType<typeof setTimeout>
let isToldOfStorage = false

stepUp(app, browser, { user: () => user, given: reloadDevices })
onClick(part('sign-out'), signOut)
onClick(part('sign-out-instead'), signOut)
onClick(part('renew'), renew)
onClick(part('retry'), begin)
onClick(part('link-leave'), () => leaveLink(''))
addEventListener('hashchange', () => links.open() && show('link'))
app.on('login', enter)
app.on('refreshed', (login: Login) => life.take(login))
app.on('logout', () => leave('logout'))
app.on('session-ended', leave)
app.on('storage-failed', tellOfStorage)
watchStorage(tellOfStorage)
app.service('users').on('patched', (changed: User) => changed._id === user?._id && follow(changed))
socket.on('connect', back)
socket.on('disconnect', lost)
socket.on('connect_error', lost)
addEventListener('offline', lost)
addEventListener('online', () => socket.connected && setLine(''))

// Factors that were added or removed elsewhere
document.addEventListener('visibilitychange', () => document.hidden || reloadSecurity())

void begin()

/** Goes on with a sign-in that began elsewhere, or resumes the stored session, or asks the user to sign in. */
async function begin(): Promise<void> {
  const challenge = takeChallenge()

  if (challenge) {
    show('door')
    entrance.openGate(challenge)
    return
  }

  show(links.open() ? 'link' : 'waiting')

  try {
    await app.reAuthenticate()
  } catch (error) {
    // Another attempt may have succeeded in the meantime
    if (!user) {
      stayOutside(error as ServiceError)
    }
  }
}

function stayOutside(error: ServiceError): void {
  if (links.open()) {
    return
  }
  if (error.code === 401) {
    show('door')
    entrance.open(error.data?.reason && farewell(error.data.reason))
  } else {
    setText(explain(error), 'waiting-text')
    setVisible(true, 'retry')
  }
}

/** Renews the access token. If the session has ended, the event `session-ended` says why. */
async function renew(): Promise<void> {
  try {
    await app.authentication.renew()
  } catch (error) {
    if ((error as ServiceError).code !== 401) {
      notifyError(error as ServiceError)
    }
  }
}

/** Shows the user who has signed in, here or in another tab. */
function enter(login: Login): void {
  if (user && user._id !== login.user._id) {
    clear()
  }

  const isNew = !user
  const { typed } = entrance

  life.take(login)
  follow(login.user)
  loadLists()

  if (isNew) {
    entrance.close()
    links.signedIn(true)

    if (choice.isNeeded(login)) {
      choice.open(login.user, typed)
      show('choice')
      part('choice').querySelector('h1')!.focus()
    } else {
      show(links.open() ? 'link' : 'home')
      part('greeting').focus()
    }
  }
}

function leaveChoice(changed: User): void {
  choice.clear()
  follow(changed)
  show(links.open() ? 'link' : 'home')
  part('greeting').focus()
  notify('Your new password is set. All other devices are signed out.')
}

function loadLists(): void {
  trail.load(user!)
  void Promise.all([devices.load(), admin.show(user!), security.load()]).catch(notifyError)
}

/** No event tells in which sessions a factor was given. */
function reloadDevices(): void {
  if (user) {
    devices.load().catch(notifyError)
  }
}

function reloadSecurity(): void {
  reloadDevices()

  if (user) {
    security.load().catch(notifyError)
  }
}

/** Shows a change of the user's own account: its name or its roles. */
function follow(changed: User): void {
  const hasOtherRole = user !== undefined && String(user.roles) !== String(changed.roles)

  user = changed
  self.show(changed)

  if (hasOtherRole) {
    void admin.show(changed)
  }
}

function leave(reason?: string): void {
  if (user) {
    clear()
    links.signedIn(false)

    if (!links.open()) {
      show('door')
      entrance.open(farewell(reason))
    }
  }
}

/** Leaves the form of a link from a mail, whether or not the link was used. */
function leaveLink(sentence: string): void {
  links.close()

  if (user) {
    show('home')

    if (sentence) {
      notify(sentence)
    }
  } else {
    show('door')
    entrance.open(sentence)
  }
}

function tellOfStorage(): void {
  if (!isToldOfStorage) {
    isToldOfStorage = true
    notify(
      'This browser stores nothing for this page: when it is closed or loaded again, you may be signed out.'
    )
  }
}

function clear(): void {
  user = undefined
  devices.clear()
  life.clear()
  self.clear()
  trail.clear()
  admin.clear()
  security.clear()
  choice.clear()
  document.querySelectorAll('dialog').forEach((dialog) => dialog.close())
  part('notices').replaceChildren()
}

function lost(): void {
  clearTimeout(line)
  line = setTimeout(() => {
    if (!navigator.onLine) {
      setLine('You are offline. What you see may be old, and is brought up to date when the network is back.')
    } else if (!socket.connected) {
      setLine('The connection to the service is lost. It is tried again …')
    }
  }, shortOutage)
}

/** Reloads once the connection is back: events were missed meanwhile. */
function back(): void {
  clearTimeout(line)
  setLine('')

  if (user) {
    loadLists()
  }
}

function show(scene: 'waiting' | 'door' | 'link' | 'choice' | 'home'): void {
  for (const name of ['waiting', 'door', 'link', 'choice', 'home']) {
    setVisible(name === scene, name)
  }

  setVisible(scene === 'home', 'who')
  setVisible(false, 'retry')
  setText('One moment …', 'waiting-text')

  if (scene === 'home') {
    document.title = 'Your devices · Moult'
  }
}
