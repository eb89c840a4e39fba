/**
 * Order two Debian versions as dpkg does.
 *
 * Post: 0 also for texts that differ but mean the same, such as `1.0` and `1.0-0`. Source: deb-version(7), "Sorting algorithm".
 */
export function compareDebianVersions(a: string, b: string): number {
  if (a === b) return 0
  const [left, right] = [parse(a), parse(b)]
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  )
}

function parse(version: string): { readonly epoch: number; readonly upstream: string; readonly revision: string } {
  const colon = version.indexOf(':')
  const rest = version.slice(colon + 1)
  const hyphen = rest.lastIndexOf('-')
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: hyphen < 0 ? rest : rest.slice(0, hyphen),
    revision: hyphen < 0 ? '' : rest.slice(hyphen + 1),
  }
}

/** Text and numbers take turns: text by {@link rank}, numbers by value. */
function compareParts(a: string, b: string): number {
  const [left, right] = [turns(a), turns(b)]
  for (let turn = 0; turn < Math.max(left.length, right.length); turn += 1) {
    const [x = '', y = ''] = [left[turn], right[turn]]
    const order = turn % 2 === 0 ? compareTexts(x, y) : compareNumbers(x, y)
    if (order !== 0) return order
  }
  return 0
}

function turns(text: string): readonly string[] {
  return text.split(/(\d+)/)
}

function compareTexts(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const order = rank(a, at) - rank(b, at)
    if (order !== 0) return order
  }
  return 0
}

/** `~` sorts before the end of the text, the end before letters, letters before everything else. */
function rank(text: string, at: number): number {
  const letter = text[at]
  if (letter === undefined) return 0
  if (letter === '~') return -1
  const code = letter.charCodeAt(0)
  return /[A-Za-z]/.test(letter) ? code : code + 256
}

/** By length first, for a number may have more digits than a double holds. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0)
}
