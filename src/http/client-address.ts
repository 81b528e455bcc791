import type { IncomingHttpHeaders } from 'node:http'
import { isIP, isIPv6 } from 'node:net'

const mapped = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i // RFC 4291 §2.5.5.2

/** The parts of a request, or of a socket's handshake, that tell where it comes from. */
export interface Origin {
  headers: IncomingHttpHeaders
  /** The address at the other end of the connection. */
  remoteAddress: string | undefined
}

/**
 * The address of a client. Each proxy appends the address that called it to `X-Forwarded-For`. So only the last
 * entries, one per trusted proxy, can be relied on: anybody can send the ones before. An IPv4 address that a dual-stack
 * socket writes as IPv6 is returned as IPv4.
 *
 * @param proxies How many trusted proxies are in front; with 0 the header is ignored
 */
export function addressOf({ headers, remoteAddress = '' }: Origin, proxies: number): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',')
  const address = proxies > 0 ? forwarded.at(-proxies)?.trim() : undefined

  // Too few entries, or not an address: the request bypassed a proxy
  return (address && isIP(address) ? address : remoteAddress).replace(mapped, '')
}

/**
 * The group of addresses that share a limit: for IPv6 the /64, which is what one customer gets (RFC 6177 §2), so that
 * nobody gets a limit for each of 2^64 addresses; for IPv4 the address itself, also when written as IPv6.
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
  // The URL parser converts an IPv4 suffix to hexadecimal groups
  const [start, end] = new URL(`http://[${withoutZone}]`).hostname.slice(1, -1).split('::').map(numbers)

  return end ? [...start!, ...Array<number>(8 - start!.length - end.length).fill(0), ...end] : start!
}

const numbers = (text: string): number[] =>
  text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
