import { expect, it } from 'vitest'
import { parseServerState, serverStateText } from '../../../../src/gate/drivers/haproxy-state.ts'

/** What HAProxy 2.6.12 shows. */
const shown = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 shop-app 1 app 127.0.0.1 2 0 1 1 17 1 0 2 0 0 0 0 - 4711 - 0 0 - - 0
3 shop-app 2 gate - 2 0 1 1 17 1 0 2 0 0 0 0 - 0 - 0 0 - - 0
`

it('reads the port of a server and whether it gets requests', () => {
  expect(parseServerState(shown, 'shop-app', 'app')).toEqual({ port: 4711, isReady: true })
  for (const admin of ['1', '5', '8', '9']) {
    const away = shown.replace('2 0 1 1', `0 ${admin} 1 1`)
    expect(parseServerState(away, 'shop-app', 'app').isReady).toBe(false)
  }
})

it('writes another state of one server, and leaves the others', () => {
  const wanted = { port: 4712, isReady: false }
  const text = serverStateText(shown, 'shop-app', 'app', wanted)
  expect(parseServerState(text, 'shop-app', 'app')).toEqual(wanted)
  expect(text.split('\n')[3]).toBe(shown.split('\n')[3])
  expect(serverStateText(text, 'shop-app', 'app', wanted)).toBe(text)
})

it.each(['', '1\n# be_id be_name\n', shown.replaceAll('shop-app', 'other')])('finds no server in %j', text => {
  expect(() => parseServerState(text, 'shop-app', 'app')).toThrowError(
    expect.objectContaining({ code: 'GATE_SERVER_REFUSED' }),
  )
})
