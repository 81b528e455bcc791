/**
 * The element with this `data-part`, in the page or within another element.
 *
 * @throws Error if there is none: index.html and the scripts don't match
 */
// eslint-disable-next-line typescript/no-unnecessary-type-parameters -- as in querySelector
export function part<T extends Element = HTMLElement>(name: string, within: ParentNode = document): T {
  const found = within.querySelector<T>(`[data-part="${name}"]`)

  if (!found) {
    throw new Error(`index.html has no part "${name}"`)
  }

  return found
}

/** A copy of the content of a `<template>`. Text is only ever inserted with `textContent`. */
export function copyOf(template: string): HTMLElement {
  const { content } = document.querySelector<HTMLTemplateElement>(`template#${template}`)!

  return document.importNode(content, true).firstElementChild as HTMLElement
}

export function setText(text: string, name: string, within: ParentNode = document): void {
  const element = part(name, within)

  // Screen readers would read out unchanged text again
  if (element.textContent !== text) {
    element.textContent = text
  }
}

export function setVisible(visible: boolean, name: string, within: ParentNode = document): void {
  part(name, within).hidden = !visible
}

/** Runs `work` on a click, and ignores further clicks until it is done. */
export function onClick(button: HTMLElement, work: () => Promise<unknown> | void): void {
  let busy = false

  button.addEventListener('click', (event) => {
    event.preventDefault()

    if (!busy) {
      busy = true
      button.setAttribute('aria-busy', 'true')
      void Promise.resolve(work()).finally(() => {
        busy = false
        button.removeAttribute('aria-busy')
      })
    }
  })
}

/** Makes a button load and show the content below it, and hide it again. */
export function disclose(button: HTMLElement, content: HTMLElement, load: () => Promise<unknown>): void {
  onClick(button, async () => {
    const open = content.hidden

    if (open) {
      await load()
    }
    content.hidden = !open
    button.setAttribute('aria-expanded', String(open))
  })
}

/** Sets the rows of a list, in this order. Rows that are already in place aren't moved, and so keep the focus. */
export function arrange(list: Element, rows: Element[]): void {
  const kept = new Set(rows)

  ;[...list.children].forEach((row) => kept.has(row) || row.remove())
  rows.forEach((row, index) => {
    if (list.children[index] !== row) {
      list.insertBefore(row, list.children[index] ?? null)
    }
  })
}

/** Plays the animation of a class once. The style sheet has none for users who prefer reduced motion. */
export function play(element: Element, animation: string): void {
  element.classList.remove(animation)
  void element.getBoundingClientRect() // restarts the animation
  element.classList.add(animation)
}

/** Removes an element once it has faded out. */
export function fadeOut(element: Element): void {
  element.setAttribute('inert', '')
  element.classList.add('leaving')

  const animations = element.getAnimations()

  void Promise.allSettled(animations.map(({ finished }) => finished)).then(() => element.remove())
}
