type Listen = (type: string, listener: (event: { key?: string | null; data?: unknown }) => void) => void

export interface Channel {
  postMessage(message: unknown): void
  addEventListener: Listen
  removeEventListener: Listen
}

/** What browsers have and other platforms may lack, as far as it is used here. */
interface Surroundings {
  document?: unknown
  addEventListener?: Listen
  navigator?: {
    locks?: { request(name: string, options: object, work: () => Promise<unknown>): Promise<unknown> }
  }
  BroadcastChannel?: new (name: string) => Channel
  crypto?: { randomUUID?(): string }
}

export const surroundings = globalThis as unknown as Surroundings

/** Only pages have neighbours: on a server, a storage or a channel shared by name would mix up its users. */
export const isPage = surroundings.document !== undefined
