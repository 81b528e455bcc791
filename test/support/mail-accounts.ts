import assert from 'node:assert/strict'
import type { TestApp } from './app.js'
import { linkIn, type Mailbox } from './mailbox.js'
import { newPerson, type Person } from './people.js'
import { restClient, type Answer } from './rest.js'

export interface Link {
  id: string
  token: string
}

/** What tests of accounts by mail do. */
export function mailAccounts(t: TestApp, mailbox: Mailbox) {
  const client = restClient(t.address)

  return {
    client,
    /** Someone whose address is not verified, and the link that would verify it. */
    async unverified(): Promise<{ person: Person; link: ReturnType<typeof linkIn> }> {
      const person = await newPerson(t)

      return { person, link: linkIn(await mailbox.next(person.email)) }
    },
    /** Someone whose address is verified. */
    async verified(): Promise<Person> {
      const { person, link } = await this.unverified()
      const { status } = await person.ask('PATCH', `/email-verifications/${link.id}`, {
        body: { token: link.token }
      })

      assert.equal(status, 200)
      return person
    },
    askForReset: (email: string): Promise<Answer> =>
      client.ask('POST', '/password-resets', { body: { email } }),
    /** Asks for a reset, and takes the link from the mail. */
    async resetLink(email: string) {
      assert.equal((await this.askForReset(email)).status, 201)
      return linkIn(await mailbox.next(email))
    },
    reset: ({ id, token }: Link, password: string): Promise<Answer> =>
      client.ask('PATCH', `/password-resets/${id}`, { body: { token, password } }),
    /** Uses a link that verifies an address: with the password, or with nothing. */
    verify: ({ id, token }: Link, more: object = {}): Promise<Answer> =>
      client.ask('PATCH', `/email-verifications/${id}`, { body: { token, ...more } }),
    /** Uses a link that takes a change back. */
    keep: ({ id, token }: Link): Promise<Answer> =>
      client.ask('PATCH', `/email-verifications/${id}`, { body: { token, keep: true } })
  }
}
