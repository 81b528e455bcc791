import type { AccountUser } from './account-users.js'
import type { StoredJob } from './outbox/job.js'

/** Whether the mail of a job may be sent to an address, or the address has had too many mails. */
export type MayMail = (job: StoredJob, address: string, user: AccountUser) => Promise<boolean>
