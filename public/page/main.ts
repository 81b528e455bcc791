import { account } from './account.ts'
import { createClient, type Login, type User } from './client.ts'
import { deviceList } from './devices.ts'
import { door } from './door.ts'
import { onClick, part, setText, setVisible } from './dom.ts'
import { tokenLife } from './life.ts'
import { notifyError, setLine } from './notices.ts'
import { people } from './people.ts'
import { explain, farewell, type ServiceError } from './words.ts'

const { app, socket } = createClient()
const signOut = () => app.logout().then(() => undefined, notifyError)
const entrance = door(app)
const devices = deviceList(app, { signOut })
const life = tokenLife({ renew: () => app.reAuthenticate(true) })
const self = account(app)
const admin = people(app)

let user: User | undefined // who is signed in

onClick(part('sign-out'), signOut)
onClick(part('retry'), begin)
app.on('login', (login: Login) => void enter(login).catch(notifyError))
app.on('logout', () => leave('logout'))
app.service('users').on('patched', (changed: User) => changed._id === user?._id && follow(changed))
socket.on('connect', () => setLine(''))
socket.on('disconnect', lost)
socket.on('connect_error', lost)
addEventListener('offline', lost)
addEventListener('online', () => socket.connect())

void begin()

/** Signs in by what is stored, or asks to. */
async function begin(): Promise<void> {
  show('waiting')

  try {
    await app.reAuthenticate()
  } catch (error) {
    const { code } = error as ServiceError

    if (code === 401) {
      entrance.open()
      show('door')
    } else {
      setText(explain(error as ServiceError), 'waiting-text')
      setVisible(true, 'retry')
    }
  }
}

/** Somebody has signed in, or the connection is back, or a token has been renewed. */
async function enter(login: Login): Promise<void> {
  const isNew = !user

  life.take(login)
  follow(login.user)

  if (isNew) {
    entrance.close()
    show('home')
    part('greeting').focus()
  }

  await Promise.all([devices.load(), admin.show(login.user)])
}

function follow(changed: User): void {
  user = changed
  self.show(changed)
}

function leave(reason?: string): void {
  if (user) {
    user = undefined
    devices.clear()
    life.clear()
    self.clear()
    admin.clear()
    entrance.open(farewell(reason))
    show('door')
  }
}

function lost(): void {
  setLine(
    navigator.onLine
      ? 'The connection to the service is lost. It is tried again …'
      : 'You are offline. What you see may be old, and is brought up to date when the network is back.'
  )
}

function show(scene: 'waiting' | 'door' | 'home'): void {
  for (const name of ['waiting', 'door', 'home']) {
    setVisible(name === scene, name)
  }

  setVisible(scene === 'home', 'who')
  document.body.dataset.scene = scene

  if (scene === 'home') {
    document.title = 'Your devices · Moult'
  }
}
