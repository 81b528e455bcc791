type Listen = (
  type: string,
  listener: (event: { data?: unknown }) => void,
  options?: { signal: AbortSignal }
) => void

export interface Channel {
  postMessage(message: unknown): void
  addEventListener: Listen
}

/** What browsers have and other platforms may lack, as far as it is used here. */
interface Surroundings {
  document?: object
  /** Of pages. */
  addEventListener: Listen
  navigator?: {
    locks?: { request(name: string, options: object, work: () => Promise<unknown>): Promise<unknown> }
  }
  crypto?: { randomUUID?(): string }
  BroadcastChannel?: new (name: string) => Channel
}

export const surroundings = globalThis as unknown as Surroundings

/** Only pages have neighbours: on a server, a storage or a channel shared by name would mix up its users. */
export const isPage = surroundings.document
