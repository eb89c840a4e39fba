import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { expect, it } from 'vitest'
import { openPublicSockets } from '../../../../src/gate/drivers/public-socket.ts'
import { parseAddress } from '../../../../src/gate/front/address.ts'
import { tempFolder } from '../../../support/temp.ts'

const at = (text: string, name = 'http') => {
  const address = parseAddress(text)
  return { name, address, listening: { kind: 'address', address } } as const
}

it('opens IPv4 and IPv6 at one port, each for itself, and unix sockets that everybody may connect to', async () => {
  const [first] = await openPublicSockets([at('127.0.0.1:0')], undefined)
  const port = first!.address.kind === 'tcp' ? first!.address.port : 0
  first!.close()
  const file = path.join(tempFolder(), 'public.sock')
  const owner = { uid: process.getuid!(), gid: process.getgid!() }
  const maskBefore = process.umask()
  const all = await openPublicSockets([at(`0.0.0.0:${port}`), at(`[::]:${port}`), at(`unix:${file}`, 'local')], owner)
  expect(all.map(({ name }) => name)).toEqual(['http', 'http', 'local'])
  expect(new Set(all.map(({ descriptor }) => descriptor)).size).toBe(3)
  expect(fs.statSync(file)).toMatchObject({ ...owner, mode: expect.toSatisfy(mode => (mode & 0o777) === 0o666) })
  expect(process.umask()).toBe(maskBefore)
  for (const socket of all) socket.close()
})

it('opens none when one cannot be opened', async () => {
  const file = path.join(tempFolder(), 'public.sock')
  const opening = openPublicSockets([at(`unix:${file}`), at('192.0.2.1:0')], undefined)
  await expect(opening).rejects.toMatchObject({ code: 'GATE_ADDRESS_INVALID' })
  expect(fs.existsSync(file)).toBe(false)
})

it('leaves alone what is in its place, or where it binds: a file, a link to one, a socket on which somebody accepts', async () => {
  const folder = tempFolder()
  const place = (name: string) => path.join(folder, name)
  fs.writeFileSync(place('passwd'), 'root')
  fs.symlinkSync(place('passwd'), place('link'))
  fs.writeFileSync(place('take~'), 'kept')
  const server = net.createServer().listen(place('served'))
  await once(server, 'listening')
  const { ino } = fs.lstatSync(place('served'))
  for (const name of ['passwd', 'link', 'takes', 'served']) {
    const opening = openPublicSockets([at(`unix:${place(name)}`)], undefined)
    await expect(opening, name).rejects.toMatchObject({ code: 'GATE_ADDRESS_IN_USE' })
  }
  expect(fs.readFileSync(place('passwd'), 'utf8')).toBe('root')
  expect(fs.readlinkSync(place('link'))).toBe(place('passwd'))
  expect(fs.readFileSync(place('take~'), 'utf8')).toBe('kept')
  expect(fs.lstatSync(place('served')).ino).toBe(ino)
  expect(fs.readdirSync(folder).sort()).toEqual(['link', 'passwd', 'served', 'take~'])
  server.close()
})
