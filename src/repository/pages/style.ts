/** The style of every page. System fonts and colours; contrast at least 7:1 in both schemes. */
export const style = `
:root { --text: #1a1a1a; --muted: #4a4a4a; --ground: #fff; --raised: #f3f4f6; --line: #c9ccd1; --link: #0b4fa8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececec; --muted: #bdbdbd; --ground: #16181c; --raised: #22252b; --line: #4a4f58; --link: #9cc4ff; }
}
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.6 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { line-height: 1.2; margin: 0 0 .5rem; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; }
a { color: var(--link); }
a:focus-visible, pre:focus-visible, .scroll:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.muted { color: var(--muted); }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem 1rem; overflow-x: auto; }
code { font: .875rem/1.5 ui-monospace, monospace; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0; border-bottom: 1px solid var(--line); }
td.digest { overflow-wrap: anywhere; min-width: 16rem; }
`
