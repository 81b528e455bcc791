/**
 * The one element with that `data-part`: within another, or of the page.
 *
 * @throws Error where there is none: index.html and the scripts have to agree
 */
// eslint-disable-next-line typescript/no-unnecessary-type-parameters -- as that of querySelector
export function part<T extends Element = HTMLElement>(name: string, within: ParentNode = document): T {
  const found = within.querySelector<T>(`[data-part="${name}"]`)

  if (!found) {
    throw new Error(`index.html has no part "${name}"`)
  }

  return found
}

/** A copy of what is in a `<template>`. Text gets into it by `textContent` alone. */
export function copyOf(template: string): HTMLElement {
  const { content } = document.querySelector<HTMLTemplateElement>(`template#${template}`)!

  return document.importNode(content, true).firstElementChild as HTMLElement
}

export function setText(text: string, name: string, within: ParentNode = document): void {
  const element = part(name, within)

  // What is the same need not be read out again
  if (element.textContent !== text) {
    element.textContent = text
  }
}

export function setVisible(visible: boolean, name: string, within: ParentNode = document): void {
  part(name, within).hidden = !visible
}

/** Does something on a click, and nothing more till it is done. */
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

/** Has a button show what is below it, as it is then, and hide it again. */
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

/** Makes these the rows of a list, in that order. Those that are in their place stay there, and keep the focus. */
export function arrange(list: Element, rows: Element[]): void {
  const kept = new Set(rows)

  ;[...list.children].forEach((row) => kept.has(row) || row.remove())
  rows.forEach((row, index) => {
    if (list.children[index] !== row) {
      list.insertBefore(row, list.children[index] ?? null)
    }
  })
}

/** Plays the animation of a class once. Where it moves too much for someone, the style sheet has none. */
export function play(element: Element, animation: string): void {
  element.classList.remove(animation)
  void element.getBoundingClientRect() // so that it starts anew
  element.classList.add(animation)
}

/** Takes an element away as soon as it has faded. */
export function fadeOut(element: Element): void {
  element.setAttribute('inert', '')
  element.classList.add('leaving')

  const animations = element.getAnimations()

  void Promise.allSettled(animations.map(({ finished }) => finished)).then(() => element.remove())
}
