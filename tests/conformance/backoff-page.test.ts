import type http from 'node:http'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { frontedApp } from '../support/fronted-app.ts'
import { htmlErrors } from '../support/html-errors.ts'
import { foreignParts, lowContrast, overflowing } from '../support/page-checks.ts'
import { readPicture } from '../support/png.ts'
import { needTool } from '../support/tools.ts'
import { until } from '../support/toy-prefix.ts'

/** What people see whose browser is turned away: on a phone, in the dark, read aloud, and until the application is back. */

const application: http.RequestListener = (_request, response) => {
  response.setHeader('content-type', 'text/html')
  response.end('<!doctype html><title>The application</title><link rel="icon" href="data:,"><p>Here again.')
}

describe.skipIf(!needTool('chromium'))('in Chromium', () => {
  let chromium: Chromium
  beforeAll(async () => {
    chromium = await startChromium()
  })

  it('the page can be read by everybody', async () => {
    const { front, url } = await frontedApp(application, { backoff: { retryAfter: 3600 } })
    front.enter('backoff')
    expect(htmlErrors(await (await fetch(url, { headers: { accept: 'text/html' } })).text())).toEqual([])
    const tab = await chromium.open(`${url}/a?<script>`)
    // 320 pixels is what is left of a window of 1280 at a zoom of 400 %. Source: WCAG 2.2, 1.4.10.
    for (const widthPixels of [320, 400, 1280]) {
      await tab.resize(widthPixels)
      expect(await tab.evaluate(overflowing)).toEqual([])
    }
    for (const [scheme, least, most] of [
      ['light', 0.9, 1],
      ['dark', 0, 0.2],
    ] as const) {
      await tab.prefer(scheme)
      expect(await tab.evaluate(lowContrast)).toEqual([])
      const { brightness } = readPicture(await tab.screenshot())
      expect(brightness).toBeGreaterThanOrEqual(least)
      expect(brightness).toBeLessThanOrEqual(most)
    }
    const nodes = await tab.accessibility()
    expect(nodes.filter(({ role }) => role === 'main')).toHaveLength(1)
    expect(nodes.filter(({ role }) => role === 'heading')).toMatchObject([{ name: 'Back shortly', level: 1 }])
    expect(await tab.evaluate('document.documentElement.lang')).toBe('en')
    expect(await tab.evaluate('document.body.innerText')).toContain('tries again by itself in 3600 seconds')
    expect(await tab.evaluate(foreignParts)).toEqual([])
    // The address and its icon were turned away, and nothing else was asked for.
    const asked = tab.requests.map(request => new URL(request).pathname)
    expect(asked.filter(pathname => pathname !== '/favicon.ico')).toEqual(['/a'])
    await tab.close()
  })

  it('comes back by itself, without a script, and then shows the application', async () => {
    const { front, url, records } = await frontedApp(application, { backoff: { retryAfter: 1 } })
    front.enter('backoff')
    const tab = await chromium.open(url, { javascript: false })
    front.enter('pass')
    // While it goes from one page to the other there is none to ask.
    const title = () => tab.evaluate<string>('document.title').catch(() => '')
    await until(async () => (await title()) === 'The application')
    expect(records.map(({ outcome }) => outcome).filter(outcome => outcome !== 'abandoned')).toContain('answered')
    await tab.close()
  })

  it('is the release’s own where it has one', async () => {
    const page = '<!doctype html><html lang="de"><title>Gleich</title><h1>In {{seconds}} Sekunden</h1>'
    const { front, url } = await frontedApp(application, { backoff: { retryAfter: 90 } }, { parts: { page } })
    front.enter('backoff')
    const tab = await chromium.open(url)
    expect(await tab.evaluate('document.querySelector("h1").innerText')).toBe('In 90 Sekunden')
    await tab.close()
  })
})
