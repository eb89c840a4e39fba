/*
 * Checks that run inside of a page: each is the source of a function that takes nothing and returns what is wrong. They are texts, for the
 * compiler knows no document here.
 */

/** Texts whose contrast is below 4.5:1, with the colours. Source: WCAG 2.2, relative luminance, contrast ratio, 1.4.3. */
export const lowContrast = `(() => {
  const parse = color => {
    const [red, green, blue, alpha = 1] = color.match(/[\\d.]+/g).map(Number)
    return { channels: [red, green, blue], alpha }
  }
  const over = (top, below) => top.channels.map((value, at) => value * top.alpha + below[at] * (1 - top.alpha))
  const luminance = channels => {
    const [red, green, blue] = channels.map(value => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const ground = element => {
    if (element === null) return [255, 255, 255]
    const color = parse(getComputedStyle(element).backgroundColor)
    return color.alpha === 1 ? color.channels : over(color, ground(element.parentElement))
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const low = []
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement
    if (texts.currentNode.data.trim() === '' || element.closest('script') !== null) continue
    const behind = ground(element)
    const front = over(parse(getComputedStyle(element).color), behind)
    const [lighter, darker] = [luminance(front), luminance(behind)].sort((a, b) => b - a)
    const ratio = (lighter + 0.05) / (darker + 0.05)
    if (ratio < 4.5) low.push(ratio.toFixed(2) + ' ' + texts.currentNode.data.trim().slice(0, 40))
  }
  return low
})()`

/** What reaches beyond the width of the window, or of the part of the page that it stands in. */
export const overflowing = `(() => {
  const wide = []
  if (document.documentElement.scrollWidth > innerWidth) wide.push('the page: ' + document.documentElement.scrollWidth)
  for (const element of document.querySelectorAll('main *')) {
    const { right, width } = element.getBoundingClientRect()
    const edge = document.querySelector('main').getBoundingClientRect().right - 20
    if (width > 0 && right > edge + 1) wide.push(element.tagName + '.' + element.className + ': ' + right)
  }
  return wide
})()`

/** Elements that a page of ours has none of, and attributes that run something. */
export const foreignParts = `(() => {
  const foreign = [...document.querySelectorAll('img, iframe, object, embed, form, input, base, video, audio, svg, math')]
  const scripts = [...document.querySelectorAll('script')].slice(1)
  const active = [...document.querySelectorAll('*')].filter(element =>
    [...element.attributes].some(({ name, value }) => name.startsWith('on') || name === 'style' || /^\\s*(javascript|vbscript|data:text)/i.test(value)))
  return [...foreign, ...scripts, ...active].map(element => element.outerHTML.slice(0, 200))
})()`

/** Cells of sizes that take more than one line. */
export const wrappedSizes = `(() =>
  [...document.querySelectorAll('td.size')]
    .filter(cell => { const range = document.createRange(); range.selectNodeContents(cell); return new Set([...range.getClientRects()].map(each => each.top)).size > 1 })
    .map(cell => cell.textContent))()`
