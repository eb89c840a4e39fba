import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Event } from '../../../src/core/event.ts'
import { type NodeCommand, runNodeCommand } from '../../../src/prefix/command.ts'
import { tempFolder } from '../../support/temp.ts'

const defaults = { environment: {}, timeout: 10_000 } as const

async function run(command: Pick<NodeCommand, 'run'> & Partial<NodeCommand>) {
  const release = tempFolder()
  const events: Event[] = []
  const context = {
    release,
    values: { version: '1.1.0', TOKEN: 'hunter2', shared: '/srv/shared' },
    secrets: { TOKEN: 'hunter2' },
    step: 'setup',
    emit: (event: Event) => void events.push(event),
    signal: new AbortController().signal,
  }
  const failure = await runNodeCommand({ ...defaults, ...command }, 'SETUP_FAILED', context).then(
    () => undefined,
    (caught: Error) => caught,
  )
  const lines = events.flatMap(event => (event.kind === 'output' ? [event.line] : []))
  return { release, lines, failure }
}

describe('a command of a recipe', () => {
  it('gets its placeholders and runs in the release', async () => {
    const { release, lines } = await run({ run: ['/bin/sh', '-c', 'echo ${version}; pwd'] })
    expect(lines).toEqual(['1.1.0', release])
  })

  it('as a string is the shell’s, with the values as variables', async () => {
    const { lines } = await run({ run: 'echo "${version}" "${shared}" $((1 + 1))' })
    expect(lines).toEqual(['1.1.0 /srv/shared 2'])
  })

  it('gets nothing of our environment', async () => {
    process.env['OURS'] = 'leaked'
    const { lines } = await run({ run: 'env', environment: { MINE: '${version}' } })
    delete process.env['OURS']
    expect(lines.join('\n')).not.toContain('leaked')
    expect(lines).toContain('MINE=1.1.0')
    expect(lines).toContain('LC_ALL=C.UTF-8')
  })

  it('reads secrets as variables, never as words of its command, and shows none', async () => {
    const { release, lines } = await run({ run: 'echo "$TOKEN" > written; echo "token: $TOKEN"' })
    expect(fs.readFileSync(path.join(release, 'written'), 'utf8')).toBe('hunter2\n')
    expect(lines).toEqual(['token: ***'])
    const { failure } = await run({ run: ['echo', '${TOKEN}'] })
    expect(failure).toMatchObject({ code: 'RECIPE_PLACEHOLDER' })
  })

  it('tells of its failure without secrets', async () => {
    const { failure } = await run({ run: 'echo "bad token $TOKEN" >&2; exit 4' })
    expect(failure).toMatchObject({ code: 'SETUP_FAILED' })
    expect(failure?.message).toContain('bad token ***')
    expect(JSON.stringify(failure)).not.toContain('hunter2')
    expect(failure?.cause).toBeUndefined()
  })

  it('ends after its time', async () => {
    const { failure } = await run({ run: ['sleep', '30'], timeout: 50 })
    expect(failure).toMatchObject({ code: 'SETUP_FAILED', details: { reason: 'EXEC_TIMEOUT' } })
  })
})
