import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'
import { tempFolder } from './temp.ts'

const running = new Set<ChildProcess>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(async () => {
  for (const browser of running) {
    browser.kill('SIGKILL')
    await once(browser, 'exit')
  }
})

/** Chromium without a screen, running until the test file ends. */
export interface Chromium {
  /** Open an address and wait until the page and all that it asked for is loaded. */
  readonly open: (url: string, options?: { readonly javascript?: boolean }) => Promise<Tab>
}

/** A page that is open. */
export interface Tab {
  /** Everything that went wrong: errors on the console, exceptions, what the page's policy refused, requests without an answer of 2xx. */
  readonly problems: readonly string[]
  /** Addresses that were asked for, the page's own first. */
  readonly requests: readonly string[]
  readonly evaluate: <T>(expression: string) => Promise<T>
  readonly resize: (widthPixels: number) => Promise<void>
  readonly prefer: (scheme: 'light' | 'dark') => Promise<void>
  readonly press: (key: 'Tab' | 'Enter') => Promise<void>
  /** What programs that read aloud are told, in the order of the document. */
  readonly accessibility: () => Promise<readonly AccessibleNode[]>
  /** The page at its full height, as PNG. */
  readonly screenshot: () => Promise<Buffer>
  readonly close: () => Promise<void>
}

/** A thing on a page as assistive programs know it. */
export interface AccessibleNode {
  readonly role: string
  readonly name: string
  /** Of a heading. */
  readonly level: number | undefined
}

/** Start Chromium with a profile of its own. */
export async function startChromium(): Promise<Chromium> {
  const browser = spawn(
    'chromium',
    [
      '--headless=new',
      // Tests run as root, too, where the sandbox does not start.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-extensions',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--hide-scrollbars',
      '--remote-debugging-port=0',
      `--user-data-dir=${path.join(tempFolder(), 'profile')}`,
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  running.add(browser)
  browser.once('exit', () => running.delete(browser))
  const connection = await connect(await debuggerAddress(browser))
  return { open: (url, options = {}) => openTab(connection, url, options) }
}

async function debuggerAddress(browser: ChildProcess): Promise<string> {
  const said: string[] = []
  for await (const line of createInterface({ input: browser.stderr! })) {
    said.push(line)
    const address = /^DevTools listening on (ws:\S+)$/.exec(line)?.[1]
    if (address === undefined) continue
    // Whatever else it says must not fill the pipe.
    browser.stderr!.resume()
    return address
  }
  throw new Error(`Chromium ended before it listened:\n${said.join('\n')}`)
}

type Parameters = Readonly<Record<string, unknown>>
type Listener = (method: string, parameters: Parameters) => void

/** The DevTools protocol: numbered calls, and events by session. */
interface Connection {
  readonly call: <T = Parameters>(method: string, parameters?: Parameters, session?: string) => Promise<T>
  readonly listen: (session: string, listener: Listener) => void
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Parameters
  readonly sessionId?: string
  readonly result?: Parameters
  readonly error?: { readonly message: string }
}

async function connect(address: string): Promise<Connection> {
  const socket = new WebSocket(address)
  const waiting = new Map<number, PromiseWithResolvers<Parameters>>()
  const listeners = new Map<string, Listener>()
  let calls = 0
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params = {}, sessionId = '', result = {}, error } = JSON.parse(String(data)) as Message
    if (id === undefined) return listeners.get(sessionId)?.(method ?? '', params)
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(new Error(error.message))
  })
  await once(socket, 'open')
  return {
    call: <T>(method: string, params: Parameters = {}, sessionId?: string) => {
      calls += 1
      const answer = Promise.withResolvers<Parameters>()
      waiting.set(calls, answer)
      socket.send(JSON.stringify({ id: calls, method, params, ...(sessionId === undefined ? {} : { sessionId }) }))
      return answer.promise as Promise<T>
    },
    listen: (session, listener) => void listeners.set(session, listener),
  }
}

async function openTab(
  connection: Connection,
  url: string,
  { javascript = true }: { readonly javascript?: boolean },
): Promise<Tab> {
  const { targetId } = await connection.call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await connection.call<{ sessionId: string }>('Target.attachToTarget', {
    targetId,
    flatten: true,
  })
  const call = <T = Parameters>(method: string, parameters: Parameters = {}) =>
    connection.call<T>(method, parameters, sessionId)
  const watched = watch(connection, sessionId)
  for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Accessibility']) await call(`${domain}.enable`)
  if (!javascript) await call('Emulation.setScriptExecutionDisabled', { value: true })
  const { errorText } = await call<{ errorText?: string }>('Page.navigate', { url })
  if (errorText !== undefined) throw new Error(`${url}: ${errorText}`)
  await watched.loaded
  return { ...controls(call), ...watched, close: () => call('Page.close').then(() => undefined) }
}

function watch(connection: Connection, session: string) {
  const problems: string[] = []
  const requests: string[] = []
  const loaded = Promise.withResolvers<void>()
  const text = (value: unknown) => JSON.stringify(value)
  connection.listen(session, (method, parameters) => {
    const response = parameters['response'] as { status: number; url: string } | undefined
    const entry = parameters['entry'] as { level: string; text: string } | undefined
    if (method === 'Page.loadEventFired') loaded.resolve()
    if (method === 'Network.requestWillBeSent') requests.push((parameters['request'] as { url: string }).url)
    if (method === 'Network.loadingFailed') problems.push(text(parameters))
    if (method === 'Network.responseReceived' && response!.status >= 300) problems.push(text(response))
    if (method === 'Runtime.exceptionThrown') problems.push(text(parameters))
    if (method === 'Runtime.consoleAPICalled' && parameters['type'] !== 'log') problems.push(text(parameters))
    if (method === 'Log.entryAdded' && entry!.level !== 'verbose') problems.push(entry!.text)
  })
  return { problems, requests, loaded: loaded.promise }
}

type Call = <T = Parameters>(method: string, parameters?: Parameters) => Promise<T>

function controls(call: Call) {
  return {
    evaluate: async <T>(expression: string): Promise<T> => {
      const { result, exceptionDetails } = await call<{ result: { value: T }; exceptionDetails?: unknown }>(
        'Runtime.evaluate',
        { expression, returnByValue: true, awaitPromise: true },
      )
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
      return result.value
    },
    resize: async (width: number) => {
      const metrics = { width, height: 800, deviceScaleFactor: 1, mobile: false }
      await call('Emulation.setDeviceMetricsOverride', metrics)
    },
    prefer: async (scheme: 'light' | 'dark') => {
      await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
    },
    press: async (key: 'Tab' | 'Enter') => {
      const code = { Tab: 9, Enter: 13 }[key]
      const event = { key, code: key, windowsVirtualKeyCode: code, ...(key === 'Enter' ? { text: '\r' } : {}) }
      await call('Input.dispatchKeyEvent', { type: 'keyDown', ...event })
      await call('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
    },
    accessibility: () => accessibility(call),
    screenshot: async () => {
      const { data } = await call<{ data: string }>('Page.captureScreenshot', {
        captureBeyondViewport: true,
        optimizeForSpeed: true,
      })
      return Buffer.from(data, 'base64')
    },
  }
}

interface RawNode {
  readonly nodeId: string
  readonly childIds?: readonly string[]
  readonly ignored: boolean
  readonly role?: { readonly value: string }
  readonly name?: { readonly value: string }
  readonly properties?: readonly { readonly name: string; readonly value: { readonly value: unknown } }[]
}

/** The answer lists level by level. */
async function accessibility(call: Call): Promise<readonly AccessibleNode[]> {
  const { nodes } = await call<{ nodes: readonly RawNode[] }>('Accessibility.getFullAXTree')
  const byId = new Map(nodes.map(node => [node.nodeId, node]))
  const inOrder = (node: RawNode | undefined): readonly RawNode[] =>
    node === undefined ? [] : [node, ...(node.childIds ?? []).flatMap(id => inOrder(byId.get(id)))]
  return inOrder(nodes[0])
    .filter(node => !node.ignored)
    .map(({ role, name, properties }) => ({
      role: role?.value ?? '',
      name: name?.value ?? '',
      level: properties?.find(property => property.name === 'level')?.value.value as number | undefined,
    }))
}

/** Keep a screenshot in a folder, to be looked at. */
export function keepScreenshot(folder: string, name: string, png: Buffer): string {
  fs.mkdirSync(folder, { recursive: true })
  const file = path.join(folder, `${name}.png`)
  fs.writeFileSync(file, png)
  return file
}
