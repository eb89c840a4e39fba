import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RecipeService } from '../../../src/recipe/schema.ts'
import { renderUnits, type UnitOptions } from '../../../src/service/unit.ts'
import { tempFolder } from '../../support/temp.ts'
import { needTool } from '../../support/tools.ts'

const web: RecipeService = {
  name: 'web',
  command: ['${runtime}', 'server.js', '--greeting', 'hello $$USER, 100 % "sure"'],
  environment: { PORT: '${port}', DATA: '${shared}/data' },
  listens: true,
  stopSignal: 'SIGTERM',
  stopTimeout: 1500,
  readiness: 'started',
  limits: {},
  before: [],
  after: [],
  relax: [],
}

const options: UnitOptions = {
  application: 'notes',
  summary: 'Notes with\na line break, 100 % safe',
  services: [web],
  root: '/opt/notes',
  variables: { PORT: '8080', version: '1.2.3' },
  runtime: '/bin/sh',
}

describe('renderUnits', () => {
  it('names one unit by the application and several by their services', () => {
    expect(renderUnits(options).map(unit => unit.name)).toEqual(['notes.service'])
    const two = renderUnits({ ...options, services: [web, { ...web, name: 'worker' }] })
    expect(two.map(unit => unit.name)).toEqual(['notes-web.service', 'notes-worker.service'])
  })

  it('runs as the user of the package when it has one', () => {
    const { text } = renderUnits({ ...options, user: 'ada' })[0]!
    expect(text).toContain('\nUser=ada\nStateDirectory=notes\nStateDirectoryMode=0750\n')
    expect(text).not.toContain('DynamicUser')
    expect(renderUnits(options)[0]!.text).toContain('\nDynamicUser=yes\nUser=notes\n')
  })

  it('quotes for systemd: specifiers, variables, spaces and quotes stay what they are', () => {
    const { text } = renderUnits(options)[0]!
    expect(text).toContain('ExecStart=/bin/sh server.js --greeting "hello $$USER, 100 %% \\"sure\\""\n')
    expect(text).toContain('Description=Notes with a line break, 100 %% safe\n')
    expect(text).toContain('Environment=PORT=8080\n')
    expect(text).toContain('Environment=DATA=/var/lib/notes/data\n')
    expect(text).toContain('TimeoutStopSec=2\n')
  })

  it('makes a command below the payload absolute', () => {
    const { text } = renderUnits({ ...options, services: [{ ...web, command: ['bin/notes'], directory: 'app' }] })[0]!
    expect(text).toContain('ExecStart=/opt/notes/bin/notes\n')
    expect(text).toContain('WorkingDirectory=/opt/notes/app\n')
  })

  it('refuses what a unit file cannot say', () => {
    const line = { ...web, environment: { TEXT: 'a\nExecStartPre=/bin/evil' } }
    expect(() => renderUnits({ ...options, services: [line] })).toThrow(
      expect.objectContaining({ code: 'RECIPE_PLACEHOLDER' }),
    )
  })

  it.skipIf(!needTool('systemd-analyze'))('is accepted by systemd without a word', () => {
    const folder = tempFolder()
    const runnable = { ...options, root: folder, services: [{ ...web, command: ['/bin/sh', '-c', 'true'] }] }
    const file = path.join(folder, 'notes.service')
    fs.writeFileSync(file, renderUnits(runnable)[0]!.text)
    // Unknown keys are warnings with exit code 0: silence is what counts.
    const output = execFileSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8', stdio: 'pipe' })
    expect(output).toBe('')
  })
})
