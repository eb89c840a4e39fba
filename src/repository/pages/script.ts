/**
 * Puts a button beside commands that copies them, where the browser lets a page do so. Everything works without it.
 *
 * Its digest stands in the pages' policy: it is the only script that runs there.
 */
export const copyScript = `
if (navigator.clipboard) for (const block of document.querySelectorAll('.copy')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = 'Copy'
  button.setAttribute('aria-live', 'polite')
  button.addEventListener('click', async () => {
    const lines = Array.from(block.querySelectorAll('code'), code => code.textContent)
    button.textContent = await navigator.clipboard.writeText(lines.join('\\n')).then(() => 'Copied', () => 'Select and copy')
    setTimeout(() => { button.textContent = 'Copy' }, 2000)
  })
  block.prepend(button)
}
`
