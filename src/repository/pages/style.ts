/** The style of every page. System fonts; contrast of text at least 4.5:1 in both schemes, measured by tests/conformance/pages.test.ts. */
export const style = `
:root {
  --text: #1b1d21; --muted: #535a66; --ground: #f7f8fa; --raised: #fff; --line: #d5d9e0; --code: #eef1f5;
  --link: #0b4fb3; --alarm: #8c1d18; --alarm-ground: #fdecea; --shadow: 0 1px 2px rgb(20 25 35 / .06);
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e6e8ec; --muted: #a6adb9; --ground: #121418; --raised: #1a1d23; --line: #333944; --code: #242932;
    --link: #8fbcff; --alarm: #ffb4ab; --alarm-ground: #3a1714; --shadow: none;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
main, header.site, footer.site { max-width: 66rem; margin: 0 auto; padding: 0 1.25rem; }
main { padding-bottom: 2rem; }
main:focus { outline: none; }
header.site { padding-top: 1.25rem; font-size: .9375rem; }
header.site ol { margin: 0; padding: 0; list-style: none; color: var(--muted); }
header.site li { display: inline; }
header.site li + li::before { content: "/" / ""; margin: 0 .5rem; }
footer.site { border-top: 1px solid var(--line); color: var(--muted); font-size: .9375rem; padding-bottom: 2rem; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: .5rem; top: .5rem; padding: .5rem 1rem; background: var(--raised); border-radius: .375rem; z-index: 1; }
h1 { margin: 1.5rem 0 .25rem; font-size: clamp(1.75rem, 1.4rem + 1.5vw, 2.5rem); line-height: 1.15; letter-spacing: -.015em; }
h2 { margin: 3rem 0 .75rem; font-size: 1.375rem; line-height: 1.25; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1.0625rem; }
h4, h5, h6 { margin: 1.25rem 0 .5rem; font-size: 1rem; }
p { margin: .5rem 0; }
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: .2rem; }
.lead { font-size: 1.125rem; color: var(--muted); max-width: 46rem; }
.muted { color: var(--muted); }
.mark { display: inline-block; padding: 0 .5rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--code); font-size: .8125rem; line-height: 1.5; white-space: nowrap; }
.yanked { color: var(--alarm); }
.notice { margin: 1rem 0; padding: .5rem 1rem; border: 1px solid var(--alarm); border-left-width: .375rem; border-radius: .375rem; background: var(--alarm-ground); color: var(--alarm); }
.notice a { color: inherit; }
code, pre { font: .875rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.prose { max-width: 46rem; }
.prose > :first-child { margin-top: 0; }
.prose li { margin: .25rem 0; }
.prose pre { padding: .75rem 1rem; border-radius: .5rem; background: var(--code); white-space: pre-wrap; }
:not(pre, .commands) > code:not(.digest) { padding: .1em .35em; border-radius: .25rem; background: var(--code); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem; margin: 0; padding: 0; list-style: none; }
.card, .way { padding: 1.125rem 1.25rem; border: 1px solid var(--line); border-radius: .75rem; background: var(--raised); box-shadow: var(--shadow); min-width: 0; }
.card h3, .way h3 { margin: 0 0 .375rem; }
.card p, .way p { margin: .375rem 0; }
.card { display: flex; flex-direction: column; }
.card .heads { flex: 1; align-content: start; }
.ways { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 1rem; }
dl { margin: .75rem 0; }
dt { color: var(--muted); }
dd { margin: 0; }
.heads { display: grid; gap: .25rem; }
.heads div { display: grid; grid-template-columns: 4.5rem 1fr; gap: .75rem; }
time { white-space: nowrap; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9rem), 1fr)); gap: .75rem 1.5rem; }
.facts div:has(code) { grid-column: 1 / -1; }
.facts dt { font-size: .875rem; }
@media (min-width: 40rem) {
  .facts { grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); }
  .facts div:has(code, a) { grid-column: span 2; }
}
.contents ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0 0; padding: 0; list-style: none; }
.commands { display: flow-root; margin: .5rem 0; padding: .625rem .875rem; border-radius: .5rem; background: var(--code); }
.commands code { display: block; white-space: pre-wrap; padding-left: 1.25em; text-indent: -1.25em; }
.commands code + code { margin-top: .25rem; }
.commands span { display: inline-block; max-width: 100%; text-indent: 0; word-break: break-all; }
.copy button { float: right; height: 1.5rem; margin: -.25rem -.5rem 0 .75rem; padding: 0 .625rem; border: 1px solid var(--line); border-radius: .375rem; background: var(--raised); color: var(--text); font: .8125rem/1 system-ui, sans-serif; cursor: pointer; }
table { width: 100%; border-collapse: collapse; }
caption { padding: 0 0 .5rem; text-align: left; color: var(--muted); }
th, td { padding: .5rem 1rem .5rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; font-weight: normal; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-size: .875rem; }
tbody .version { font-weight: 600; }
.version .mark { font-weight: normal; }
.kind, .size { white-space: nowrap; overflow-wrap: normal; }
.channels { min-width: 7rem; }
@media (max-width: 40rem) { table { font-size: .9375rem; } th, td { padding-right: .5rem; } }
.size { text-align: right; font-variant-numeric: tabular-nums; }
.digest { display: block; color: var(--muted); font-size: .8125rem; user-select: all; }
@media print { .copy button, .skip, .contents { display: none; } .card, .way { break-inside: avoid; } }
`
