const key = 'moult-device'

/** This browser, as the service is told of it. */
export interface ThisDevice {
  id: string
  name?: string
}

let memory: ThisDevice | undefined // used when the browser blocks storage
let onFault = (): void => {}

/** Calls the listener when the browser blocks storage. */
export function watchStorage(listener: () => void): void {
  onFault = listener
}

/**
 * This browser as a device of the service. Because of its id, a new sign-in replaces the old one instead of adding a
 * device. Its name is the last one that the user gave it.
 */
export const thisDevice = (): ThisDevice => memory ?? stored() ?? remember({ id: newId() })

/** Remembers the name for the next sign-in. */
export function renameThisDevice(name: string): void {
  remember({ id: thisDevice().id, name })
}

/** The stored device; undefined if there is none, or the service would refuse it. */
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

/** A random id. `crypto.randomUUID` only exists on HTTPS and localhost. */
const newId = (): string =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('')
