import type { AccountUser } from './account-users.js'
import type { StoredJob } from './outbox/job.js'

/** Whether an address may be mailed what a job asks for about a user, or has had too many mails. */
export type MayMail = (job: StoredJob, address: string, user: AccountUser) => Promise<boolean>
