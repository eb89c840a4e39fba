/** What a page of a release may be long: it is kept in memory and sent to everybody who is turned away. */
export const longestPageBytes = 256 * 1024

/** What the page says; the same words are in the other shapes. */
export const explanation = 'The service is being upgraded and will be back shortly.'

/**
 * Write the page for people who are turned away.
 *
 * Post: holds nothing of the request. With `refreshes` the browser asks again by itself after `seconds`, without a script; a form that was
 * sent is not: asked again it would be another request than the one that was meant.
 * Source: WCAG 2.2 (landmark, heading, language, zoom; system colours in light and dark).
 */
export function pageText({ seconds, refreshes }: { readonly seconds: number; readonly refreshes: boolean }): string {
  const wait = seconds === 1 ? '1 second' : `${seconds} seconds`
  const what = refreshes
    ? `This page tries again by itself in ${wait}.`
    : `What you sent was not received. Go back and send it again in ${wait}.`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">${refreshes ? `\n<meta http-equiv="refresh" content="${seconds}">` : ''}
<title>Back shortly</title>
<style>
body{background:Canvas;color:CanvasText;font:1.125rem/1.5 system-ui,sans-serif;margin:0}
main{margin:15vh auto;max-width:32rem;padding:0 1.25rem}
</style>
</head>
<body>
<main>
<h1>Back shortly</h1>
<p>${explanation}</p>
<p>${what}</p>
</main>
</body>
</html>
`
}

/** Fill a release's own page: `{{seconds}}` in it is when to come back. */
export function fillPage(template: string, seconds: number): string {
  return template.replaceAll('{{seconds}}', String(seconds))
}
