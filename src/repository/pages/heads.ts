import type { ApplicationSummary } from '../ledger.ts'
import { type Html, hrefOf, html } from './html.ts'
import { day } from './parts.ts'

/** Show what each channel offers, most stable first. `pageOf` is the way to the page of a version. */
export function renderHeads(
  channels: readonly string[],
  heads: ApplicationSummary['heads'],
  pageOf: (version: string) => string,
): Html {
  return html`<dl class="heads">
${channels.toReversed().map(channel => {
  const head = heads[channel]
  if (head === undefined) return html`<div><dt>${channel}</dt><dd class="muted">nothing yet</dd></div>\n`
  const { version, sourceDateEpoch } = head
  return html`<div><dt>${channel}</dt><dd><a href="${hrefOf(pageOf(version))}">${version}</a> <span class="muted">${day(sourceDateEpoch * 1000)}</span></dd></div>\n`
})}</dl>
`
}
