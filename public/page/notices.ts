import { copyOf, fadeOut, part, setText } from './dom.js'
import { explain, type ServiceError } from './words.js'

const shownFor = 8000 // ms: time enough to read two sentences

/** Says something at the edge of the page for a while; screen readers hear it when they have a moment. */
export function notify(sentence: string): void {
  const notice = copyOf('notice')

  notice.textContent = sentence
  part('notices').append(notice)
  setTimeout(() => fadeOut(notice), shownFor)
}

/** Says what went wrong with something that has no form to say it in. */
export const notifyError = (error: ServiceError): void => notify(explain(error))

/** Says how the connection is, for as long as it is like that; '' when all is well. */
export function setLine(sentence: string): void {
  setText(sentence, 'line')
}

/** Asks before something that can't be undone. */
export function ask(question: { title: string; text: string; yes: string }): Promise<boolean> {
  const dialog = part<HTMLDialogElement>('ask')

  setText(question.title, 'ask-title')
  setText(question.text, 'ask-text')
  setText(question.yes, 'ask-yes')
  dialog.returnValue = 'no'
  dialog.showModal()

  return new Promise((answer) => {
    dialog.addEventListener('close', () => answer(dialog.returnValue === 'yes'), { once: true })
  })
}
