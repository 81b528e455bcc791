type Listen = (type: string, listener: (event: { data?: unknown; key?: string | null }) => void) => void

export interface Channel {
  postMessage(message: unknown): void
  addEventListener: Listen
  removeEventListener: Listen
}

/** The browser APIs that are used here. Other platforms may lack them. */
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

/** Only pages have tabs. On a server, a channel or lock shared by name would mix up different users. */
export const isPage = platform.document

/** A new key. It isn't a secret (docs/sessions.md), so `Math.random` suffices where `crypto` is missing. */
export const newKey = (): string => platform.crypto?.randomUUID?.() ?? `${Math.random()}`
