import { openProxyGate } from '../../src/gate/drivers/proxy.ts'
import { parseAddress } from '../../src/gate/front/address.ts'
import { contractSettings, gateContract } from '../support/gate-contract.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp.ts'

gateContract(
  async () => {
    const port = await freePort()
    const listening = { kind: 'address', address: parseAddress(`127.0.0.1:${port}`) } as const
    const listeners = [{ listening }]
    const runFolder = tempFolder()
    return {
      port,
      open: mode => openProxyGate({ listeners, settings: contractSettings, runFolder, mode, expectsService: true }),
    }
  },
  { hasServer: false, histories: 10 },
)
