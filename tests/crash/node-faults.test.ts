import { afterAll, beforeAll, describe, it } from 'vitest'
import { failing, publishToy, repeatable } from '../support/crash-releases.ts'
import { sample } from '../support/kill-points.ts'
import { type Command, Disturber } from '../support/killed-command.ts'
import { builtCutover } from '../support/killed-cutover.ts'
import { makeRepository } from '../support/made-repository.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const install = (version: string) => ['install', '--version', version]
const errnos = ['EIO', 'ENOSPC', 'EROFS', 'EMFILE', 'EACCES']

const commands: Readonly<Record<string, Command>> = {
  'a first installation': { args: install('1.0.0'), before: [] },
  'an upgrade': { args: install('1.1.0'), before: [install('1.0.0')] },
  'an upgrade that is taken back': {
    args: install('1.2.0'),
    before: [install('1.0.0')],
    fails: 'MIGRATION_FAILED',
    againFails: ['RELEASE_AVOIDED'],
  },
  'a rollback': {
    args: ['rollback'],
    before: [install('1.0.0'), install('1.1.0')],
    againFails: ['ROLLBACK_NONE'],
  },
}

describe('when the system refuses an operation', () => {
  let toy: Disturber

  beforeAll(async () => {
    const cutover = await builtCutover()
    const repository = await makeRepository(tempFolder(), { applications: ['toy'] })
    await publishToy(repository, '1.0.0')
    await publishToy(repository, '1.1.0', { migrations: [repeatable('expand'), repeatable('short')] })
    await publishToy(repository, '1.2.0', { migrations: [failing('short')] })
    toy = new Disturber(cutover, ['--repository', repository.url, '--application', 'toy'])
  })

  afterAll(() => console.log(`refused operations: ${toy.cases} commands failed and run again, 0 lost`))

  it.each(Object.entries(commands))('the same command ends as if nothing had been: %s', async (_, command) => {
    await toy.failEach(command, { others: 8 }, { errnos })
  })

  it.each(['EROFS', 'EIO', 'ENOSPC'])('nor is anything lost when everything fails from there on: %s', async errno => {
    await toy.failEach(commands['an upgrade']!, { others: 6 }, { errnos: [errno], forGood: true })
  })

  it.skipIf(!needTool('strace'))('nor is anything lost when it is the system that says so', async () => {
    await toy.refuseEach(commands['an upgrade']!, 10, ['EIO', 'ENOSPC'])
  })

  // With fewer than 22 Node itself does not start.
  it('nor when there are hardly any descriptors', async () => {
    const counts = Array.from({ length: 40 }, (_, index) => 22 + index)
    await toy.starveEach(commands['an upgrade']!, sample(counts, 8))
  })
})
