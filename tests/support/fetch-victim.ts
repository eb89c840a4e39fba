// Fetches a release's delta pack, slowly, in a process of its own, so that it can be killed. Its argument is JSON.
import { resolveFromRepository } from '../../src/flow/resolve.ts'

interface Order {
  readonly trustFolder: string
  readonly repositoryUrl: string
  readonly cacheFolder: string
  readonly file: string
}

const { trustFolder, repositoryUrl, cacheFolder, file }: Order = JSON.parse(process.argv[2] ?? '')
const { signal } = new AbortController()
const fetching = { cacheFolder, bytesPerSecond: 2_000_000 }
const release = await resolveFromRepository({ trustFolder, repositoryUrl, fetching }, signal).release('app', '1.0.0')
await release.deltas[0]?.fetch(file, signal)
