import type { IncomingHttpHeaders } from 'node:http'
import { isIP, isIPv6 } from 'node:net'

/** What of a request, or of a socket's handshake, tells where it comes from. */
export interface Origin {
  headers: IncomingHttpHeaders
  /** The address at the other end of the connection. */
  remoteAddress: string | undefined
}

/**
 * The address of a client. Each proxy adds, at the end of `X-Forwarded-For`, the address it was called from: as many
 * entries from the end as there are trusted proxies were written by them, and anything before by whoever likes to.
 *
 * @param proxies How many proxies are in front; with none the header is not believed
 */
export function addressOf({ headers, remoteAddress = '' }: Origin, proxies: number): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',')
  const address = proxies > 0 ? forwarded.at(-proxies)?.trim() : undefined

  // Fewer entries than proxies, or none that is an address: it did not come the way it should
  return address && isIP(address) ? address : remoteAddress
}

/**
 * What counts as one address: of IPv6 the /64, which is what one customer gets (RFC 6177 §2), so that nobody has a
 * limit for each of 2^64 addresses. An IPv4 address stays itself, also where it is written as IPv6.
 */
export function addressGroup(address: string): string {
  if (!isIPv6(address)) {
    return address
  }

  const groups = ipv6Groups(address)
  const [high, low] = groups.slice(6)

  return groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
    ? [high! >> 8, high! & 255, low! >> 8, low! & 255].join('.')
    : `${groups
        .slice(0, 4)
        .map((group) => group.toString(16))
        .join(':')}::/64`
}

/** The eight numbers of an IPv6 address. */
function ipv6Groups(address: string): number[] {
  const [withoutZone] = address.split('%')
  // The URL parser writes out an IPv4 address at the end
  const [start, end] = new URL(`http://[${withoutZone}]`).hostname.slice(1, -1).split('::').map(numbers)

  return end ? [...start!, ...Array<number>(8 - start!.length - end.length).fill(0), ...end] : start!
}

const numbers = (text: string): number[] =>
  text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
