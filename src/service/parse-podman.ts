import type { Observed } from './managed.ts'

/** Read what `podman inspect` says of the state of a container. Source: podman-inspect(1). */
export function parseContainerState(text: string): Observed {
  const state = JSON.parse(text) as {
    readonly Status: string
    readonly Pid: number
    readonly ExitCode: number
    readonly OOMKilled: boolean
  }
  switch (state.Status) {
    case 'running':
    case 'paused':
      return { kind: 'running', pid: state.Pid }
    case 'exited':
    case 'stopped':
      return { kind: 'ended', lastExit: `exit code ${state.ExitCode}${state.OOMKilled ? ' (out of memory)' : ''}` }
    default:
      return { kind: 'starting' }
  }
}
