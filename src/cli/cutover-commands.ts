import type { Executable } from './program.ts'

/** The executable of the node side: what every server runs. It must reach nothing of the release side. */
export const cutoverExecutable: Executable = {
  name: 'cutover',
  description: 'Install, run and upgrade an application in a prefix, without failed requests.',
  commands: {
    init: {
      summary: 'make a prefix for an application and pin the root of its repository',
      load: async io => (await import('./init.ts')).initCommand(io),
    },
    install: {
      summary: 'install a version and switch to it',
      load: async io => (await import('./install.ts')).installCommand(io),
    },
    rollback: {
      summary: 'switch back to the version before',
      load: async io => (await import('./rollback.ts')).rollbackCommand(io),
    },
    recover: {
      summary: 'finish or undo what an interrupted command left',
      load: async io => (await import('./recover.ts')).recoverCommand(io),
    },
    status: {
      summary: 'tell what is installed and how it runs',
      load: async io => (await import('./status.ts')).statusCommand(io),
    },
    verify: {
      summary: 'check the installed files against the signed release',
      load: async io => (await import('./verify.ts')).verifyCommand(io),
    },
    migrate: {
      summary: 'list migrations of the active version, and contract its data',
      load: async io => (await import('./migrate.ts')).migrateCommand(io),
    },
    why: {
      summary: 'tell why a version was taken back, or is not chosen',
      load: async io => (await import('./why.ts')).whyCommand(io),
    },
    gc: {
      summary: 'remove releases and leftovers that nothing needs any more',
      load: async io => (await import('./gc.ts')).gcCommand(io),
    },
    history: {
      summary: 'list what was done in a prefix',
      load: async io => (await import('./history.ts')).historyCommand(io),
    },
    settings: {
      summary: 'list and change what the operator decides: mirrors, limits, who is told',
      load: async io => (await import('./settings.ts')).settingsCommand(io),
    },
    check: {
      summary: 'tell a monitoring system whether all is well (0, 1, 2 or 3)',
      // 2 would be taken for critical.
      usageExitCode: 3,
      load: async io => (await import('./check.ts')).checkCommand(io),
    },
    slots: {
      summary: 'prefixes that take turns in the roles of a site: make one, look at it',
      load: async io => (await import('./slots.ts')).slotsCommand(io),
    },
    switch: {
      summary: 'swap the roles of two slots, without failed requests',
      load: async io => (await import('./switch.ts')).switchCommand(io),
    },
    serve: {
      summary: 'own the listening socket, run the services and be the gate',
      load: async io => (await import('./serve.ts')).serveCommand(io),
    },
    gate: {
      summary: 'look at the gate or set its mode',
      load: async io => (await import('./gate.ts')).gateCommand(io),
    },
  },
}
