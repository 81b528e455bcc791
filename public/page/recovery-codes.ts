import { onClick, part, setText, setVisible } from './dom.js'

const dialog = () => part<HTMLDialogElement>('codes-dialog')

/**
 * Shows new recovery codes, until the user says that they are kept. They can't be shown again.
 *
 * @param owner Whose they are, for who finds the print in a drawer
 * @param others What becomes of other devices, in a sentence
 */
export function showRecoveryCodes(codes: string[], owner: string, others = ''): Promise<void> {
  const kept = part<HTMLInputElement>('codes-kept')
  const items = codes.map((code) => {
    const item = document.createElement('li')

    item.textContent = code
    return item
  })

  part('codes').replaceChildren(...items)
  setText(owner, 'codes-owner')
  setText(others, 'codes-others')
  setText('Copy', 'copy-codes')
  setVisible('clipboard' in navigator, 'copy-codes')
  kept.checked = false
  allowClosing()
  dialog().showModal()
  document.getElementById('codes-title')!.focus()

  return new Promise((closed) => {
    dialog().addEventListener(
      'close',
      () => {
        part('codes').replaceChildren()
        closed()
      },
      { once: true }
    )
  })
}

/** Prepares the dialog. Call it once. */
export function recoveryCodes(): void {
  const codes = () => [...part('codes').children].map(({ textContent }) => textContent).join('\n')

  part('codes-kept').addEventListener('change', allowClosing)
  dialog().addEventListener('cancel', (event) => isKept() || event.preventDefault())
  onClick(part('copy-codes'), () =>
    navigator.clipboard.writeText(codes()).then(
      () => setText('Copied', 'copy-codes'),
      () => setText('Not allowed by the browser', 'copy-codes')
    )
  )
  onClick(part('print-codes'), () => print())
  onClick(part('codes-done'), () => dialog().close())
}

const isKept = (): boolean => part<HTMLInputElement>('codes-kept').checked

function allowClosing(): void {
  part<HTMLButtonElement>('codes-done').disabled = !isKept()
}
