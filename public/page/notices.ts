import { copyOf, fadeOut, part, setText } from './dom.js'
import { explain, type ServiceError } from './words.js'

const shownFor = 8000 // ms: long enough to read two sentences

/** Shows a sentence at the edge of the page for a while. Screen readers announce it when idle. */
export function notify(sentence: string): void {
  const notice = copyOf('notice')

  notice.textContent = sentence
  part('notices').append(notice)
  setTimeout(() => fadeOut(notice), shownFor)
}

/** Shows an error of something that has no form to show it in. */
export function notifyError(error: ServiceError): void {
  const sentence = explain(error)

  if (sentence) {
    notify(sentence)
  }
}

/** Shows the state of the connection while it lasts; '' if all is well. */
export function setLine(sentence: string): void {
  setText(sentence, 'line')
}

/** Asks for confirmation before something that can't be undone. */
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
