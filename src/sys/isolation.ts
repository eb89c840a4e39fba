import { ReleaseError } from '../core/error.ts'
import { tryExecute } from './exec.ts'

/** What is kept from a command besides what its user may not do. */
export interface Isolation {
  /** Words to put before the command; see `within` of sys/exec.ts. */
  readonly within: readonly string[]
  /** The network is out of its reach. */
  readonly network: boolean
  /** Whatever it starts ends with it. */
  readonly processes: boolean
}

const none: Isolation = { within: [], network: false, processes: false }

/**
 * Find the narrowest walls that this machine lets us put around a command: without a network, and in a world of processes that ends with it.
 *
 * Post: what is not to be had is false, and the words leave it out. Source: unshare(1), user_namespaces(7), pid_namespaces(7).
 */
export async function findIsolation(wanted: { readonly network: 'none' | 'open' }): Promise<Isolation> {
  const network = wanted.network === 'none'
  const net = network ? ['--net'] : []
  // Whoever is not root owns a user namespace first, where it stays who it is.
  const own = process.geteuid!() === 0 ? [] : ['--user', '--map-current-user']
  const processes = ['--pid', '--fork', '--kill-child=KILL', '--mount-proc']
  const candidates: readonly Isolation[] = [
    { within: [...own, ...net, ...processes], network, processes: true },
    ...(network ? [{ within: [...own, ...net], network, processes: false }] : []),
  ]
  for (const candidate of candidates) {
    const unshare = ['/usr/bin/unshare', ...candidate.within, '--'] as const
    if (await works([...unshare, '/bin/true'])) return { ...candidate, within: unshare }
  }
  return none
}

async function works(argv: readonly [string, ...string[]]): Promise<boolean> {
  try {
    return (await tryExecute(argv, { timeoutMs: 30_000 })).exitCode === 0
  } catch (caught) {
    // Not installed, or killed by what watches over system calls: there are no such walls here.
    if (caught instanceof ReleaseError) return false
    throw caught
  }
}
