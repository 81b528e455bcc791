type Listen = (type: string, listener: (event: { data?: unknown }) => void) => void

export interface Channel {
  postMessage(message: unknown): void
  addEventListener: Listen
  removeEventListener: Listen
}

/** What browsers have and other platforms may lack, as far as it is used here. */
interface Platform {
  document?: object
  location?: { href: string }
  localStorage?: object
  addEventListener?: Listen
  navigator?: {
    locks?: { request(name: string, work: () => Promise<void>): Promise<void> }
  }
  crypto?: { randomUUID?(): string }
  performance?: { now(): number }
  BroadcastChannel?: new (name: string) => Channel
}

export const platform = globalThis as unknown as Platform

/** Only pages have tabs: on a server, a storage or a channel shared by name would mix up its users. */
export const isPage = platform.document

/** A key is no secret (docs/sessions.md), so where there is no cryptography chance will do. */
export const newKey = (): string => platform.crypto?.randomUUID?.() ?? `${Math.random()}`
