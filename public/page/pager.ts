import { onClick, part, setText } from './dom.js'

/**
 * Buttons to page through a list.
 *
 * @param element Holds the parts `previous`, `page` and `next`
 * @param load Shows the page that starts at `skip`
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
    /** Goes back to the first page, without loading it. */
    reset(): void {
      skip = 0
    },
    /** Shows the page number if there is more than one page. */
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

      // A button that becomes disabled hands its focus on
      if (focused === previous && previous.disabled) {
        next.focus()
      } else if (focused === next && next.disabled) {
        previous.focus()
      }
    }
  }
}
