import { afterEach, expect, it } from 'vitest'
import { gateConfigCommand } from '../../../src/cli/gate-config.ts'
import { tempFolder } from '../../support/temp.ts'
import { toyPrefix } from '../../support/toy-prefix.ts'

afterEach(() => {
  process.exitCode = undefined
})

/** Run the command, and hand back what it wrote on standard output. */
async function run(...argv: string[]): Promise<string> {
  let written = ''
  const take = (text: string) => {
    written += text
    return true
  }
  const stream = { write: take, isTTY: false }
  const io = { stdout: stream, stderr: { ...stream, write: () => true }, environment: {}, cwd: '/' } as never
  await gateConfigCommand(io).parseAsync(argv, { from: 'user' })
  return written
}

it('prints nothing but what belongs into the configuration, for the active release or another', async () => {
  const prefix = toyPrefix(tempFolder(), {
    mode: 'proxy',
    gate: { listen: '127.0.0.1:8080', haproxy: { name: 'shop' } },
  })
  prefix.addRelease('1.0.0')
  expect(await run('haproxy', prefix.root)).toBe('')
  expect(process.exitCode).toBe(1)
  const named = await run('haproxy', prefix.root, '--release', '1.0.0')
  prefix.switchTo('1.0.0')
  const text = await run('haproxy', prefix.root)
  expect(text).toBe(named)
  expect(text).toContain('\nlisten shop-front\n')
  expect(text).toContain('\n    bind 127.0.0.1:8080\n')
  expect(await run('nginx', prefix.root)).toContain('\n    listen 127.0.0.1:8080;\n')
})
