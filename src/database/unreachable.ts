import {
  MongoServerSelectionError,
  type MongoClient,
  type ServerDescription,
  type TopologyDescription
} from 'mongodb'

const refusedLogin = new Set<unknown>([18, 8000]) // MongoDB's error codes; the second is that of Atlas
const unauthorized = new Set<unknown>([13, 8000])
const notFound = new Set<unknown>(['ENOTFOUND', 'EAI_AGAIN', 'ENODATA', 'ESERVFAIL'])
const noRoute = new Set<unknown>(['EHOSTUNREACH', 'ENETUNREACH'])
const tls = /^(ERR_(TLS|SSL)|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/

/** The servers of a connection string, without user and password. */
export const hostsOf = ({ options }: MongoClient): string => options.srvHost ?? options.hosts.join(', ')

/** Whether an error means that the server refused the user or the password. */
export const isLoginRefused = (error: unknown): boolean =>
  refusedLogin.has((error as { code?: unknown }).code)

/** Whether an error means that the user of the connection lacks a role, or that the connection has no user. */
export const isUnauthorized = (error: unknown): boolean =>
  unauthorized.has((error as { code?: unknown }).code)

/** Whether an error means that the DNS entries of a `mongodb+srv` URL were not found. The driver throws it as it is. */
export const isSrvNotFound = (error: unknown): boolean =>
  /^query(Srv|Txt)$/.test(String((error as { syscall?: unknown }).syscall))

/**
 * Says which servers can't be used, and why: `db.example.com:27017 refuses connections`. Never quotes the driver, whose
 * messages may hold the whole URL.
 */
export function whyUnreachable(error: unknown, hosts: string): string {
  return error instanceof MongoServerSelectionError && error.reason
    ? whyNoPrimary(error.reason)
    : `${hosts} ${problemOf(error)}`
}

/** The same, from the last known state of the servers. */
export function whyNoPrimary({ servers, setName }: TopologyDescription): string {
  const silent = [...servers.values()].filter(({ type }) => type === 'Unknown')
  const problems = silent.map(({ address, error }) => `${address} ${problemOf(error)}`)

  // The driver forgets a server that answers but belongs to another replica set, or to none
  if (servers.size === 0) {
    return `no server answers that belongs to the replica set ${setName}`
  }

  return silent.length === servers.size
    ? problems.join(', ')
    : [`there is no primary among ${addresses(servers)}`, ...problems].join(', ')
}

const addresses = (servers: Map<string, ServerDescription>): string => [...servers.keys()].join(', ')

/** @param error Undefined if the server has not answered yet */
function problemOf(error: unknown): string {
  const { name, message, code, cause } = (error ?? {}) as Error & {
    code?: unknown
    cause?: { code?: unknown }
  }
  const why = code ?? cause?.code

  if (!error || name === 'MongoNetworkTimeoutError' || why === 'ETIMEDOUT') {
    return 'does not answer in time'
  }
  if (isLoginRefused(error)) {
    return 'refuses the user or the password'
  }
  if (why === 'ECONNREFUSED') {
    return 'refuses connections'
  }
  if (notFound.has(why)) {
    return 'is not found in DNS'
  }
  if (noRoute.has(why)) {
    return 'can not be reached from this network'
  }
  if (tls.test(String(why))) {
    return `fails the TLS handshake (${String(why)})`
  }

  return message.endsWith('closed') || why === 'ECONNRESET'
    ? 'closes connections, as if only one side used TLS'
    : `fails with ${name}`
}
