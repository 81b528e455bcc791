const key = 'moult-device'

/**
 * This browser, as a device of the service: by its id a new sign-in takes the place of the old one, and does not add a
 * device; the name is the one that was given to it last.
 */
export function thisDevice(): { id: string; name?: string } {
  const stored = localStorage.getItem(key)

  return stored ? JSON.parse(stored) : remember({ id: newId() })
}

/** Keeps the name for the next sign-in. */
export function renameThisDevice(name: string): void {
  remember({ ...thisDevice(), name })
}

function remember<T extends object>(device: T): T {
  localStorage.setItem(key, JSON.stringify(device))

  return device
}

/** Random: `crypto.randomUUID` is there on HTTPS and localhost alone. */
const newId = (): string =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('')
