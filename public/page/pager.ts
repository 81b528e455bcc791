import { onClick, part, setText } from './dom.js'

/**
 * Buttons that turn the pages of a list.
 *
 * @param element Holds the parts `previous`, `page` and `next`
 * @param load Shows the page that begins at `skip`
 */
export function pager(element: HTMLElement, perPage: number, load: () => Promise<unknown>) {
  const previous = part<HTMLButtonElement>('previous', element)
  const next = part<HTMLButtonElement>('next', element)
  let skip = 0

  onClick(previous, () => turn(-perPage))
  onClick(next, () => turn(perPage))

  async function turn(by: number): Promise<void> {
    skip = Math.max(0, skip + by)
    await load()
  }

  return {
    get skip(): number {
      return skip
    },
    /** Goes back to the first page, which the next answer is of. */
    reset(): void {
      skip = 0
    },
    /** Says where one is, if there is more than one page. */
    show(total: number): void {
      const focused = document.activeElement

      element.hidden = total <= perPage
      setText(
        element.hidden ? '' : `${Math.floor(skip / perPage) + 1} of ${Math.ceil(total / perPage)}`,
        'page',
        element
      )
      previous.disabled = skip === 0
      next.disabled = skip + perPage >= total

      // A button that can't go on does not lose who is at it
      if (focused === previous && previous.disabled) {
        next.focus()
      } else if (focused === next && next.disabled) {
        previous.focus()
      }
    }
  }
}
