import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { tempFolder } from './temp.ts'

/** A real repository in a temporary folder, with an identity of its own and nothing of the machine's configuration. */
export interface TestRepository {
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly git: (...args: string[]) => string
  /** Write files, commit them all, and hand back the commit. */
  readonly commit: (message: string, files?: Readonly<Record<string, string>>) => string
  /** Everything that a failed command must leave as it was: refs, index, files and HEAD. */
  readonly state: () => string
}

/** The time of the first commit; each further one is a minute later. */
const firstCommitSeconds = 1_790_000_000

/** Make an empty repository on branch `main`. */
export function testRepository(): TestRepository {
  const home = tempFolder()
  const folder = tempFolder()
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    LC_ALL: 'C',
  }
  let timeSeconds = firstCommitSeconds
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...environment, ...dates(timeSeconds) },
      stdio: 'pipe',
    })
  git('init', '--quiet', '--initial-branch=main')
  git('config', 'user.name', 'Ada Example')
  git('config', 'user.email', 'ada@example.org')
  return {
    folder,
    environment,
    git,
    commit(message, files = {}) {
      writeFiles(folder, files)
      timeSeconds += 60
      git('add', '--all')
      git('commit', '--quiet', '--allow-empty', '--message', message)
      return git('rev-parse', 'HEAD').trim()
    },
    state: () =>
      [
        git('for-each-ref'),
        git('symbolic-ref', 'HEAD'),
        git('ls-files', '--stage'),
        git('status', '--porcelain=v2', '--untracked-files=all'),
      ].join('\n'),
  }
}

/** Make a bare repository that `repository` knows as `origin`, and push its branch there. */
export function addRemote(repository: TestRepository): string {
  const remote = tempFolder()
  repository.git('init', '--quiet', '--bare', '--initial-branch=main', remote)
  repository.git('remote', 'add', 'origin', remote)
  repository.git('push', '--quiet', 'origin', 'main')
  return remote
}

/** Write files below a folder, making the folders that they need. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, content)
  }
}

function dates(timeSeconds: number): Record<string, string> {
  return { GIT_AUTHOR_DATE: `${timeSeconds} +0000`, GIT_COMMITTER_DATE: `${timeSeconds} +0000` }
}
