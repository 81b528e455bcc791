import { InvalidArgumentError } from 'commander'

/** Parses the value of an option. @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  const number = Number(text)

  if (!/^\d+$/.test(text) || number > 2 ** 31 - 1) {
    throw new InvalidArgumentError('Write a whole number.')
  }

  return number
}
