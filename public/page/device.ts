const key = 'moult-device'

interface ThisDevice {
  id: string
  name?: string
}

let memory: ThisDevice | undefined // where nothing can be stored
let onFault = (): void => {}

/** Calls back when the browser does not let the page store anything. */
export function watchStorage(listener: () => void): void {
  onFault = listener
}

/**
 * This browser, as a device of the service: by its id a new sign-in takes the place of the old one, and does not add a
 * device; the name is the one that was given to it last.
 */
export const thisDevice = (): ThisDevice => memory ?? stored() ?? remember({ id: newId() })

/** Keeps the name for the next sign-in. */
export function renameThisDevice(name: string): void {
  remember({ id: thisDevice().id, name })
}

/** Undefined for what the page has not stored itself, and the service would not take. */
function stored(): ThisDevice | undefined {
  try {
    const { id, name } = JSON.parse(localStorage.getItem(key)!)

    return isText(id, 128) ? { id, ...(isText(name, 100) && { name }) } : undefined
  } catch {
    return undefined
  }
}

const isText = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value !== '' && value.length <= longest

function remember(device: ThisDevice): ThisDevice {
  try {
    localStorage.setItem(key, JSON.stringify(device))
    memory = undefined
  } catch {
    memory = device
    onFault()
  }

  return device
}

/** Random: `crypto.randomUUID` is there on HTTPS and localhost alone. */
const newId = (): string =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('')
