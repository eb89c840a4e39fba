import module from 'node:module'
import os from 'node:os'
import path from 'node:path'

/**
 * Let Node keep compiled code between runs, in the cache folder of the user that this process runs as.
 *
 * The home comes from the user database and not from HOME, and Node's own default below /tmp is not used: with either, another user
 * could lay compiled code before us that a root process would then run.
 * Post: without a home nothing is kept; a folder that cannot be written is Node's to ignore.
 */
export function enableCompileCache(): void {
  const home = homeFolder()
  if (home !== undefined) module.enableCompileCache(path.join(home, '.cache', 'cutover', 'compiled'))
}

function homeFolder(): string | undefined {
  try {
    return os.userInfo().homedir
  } catch {
    // A container's arbitrary user id has no entry in the user database; that costs some milliseconds and nothing else.
    return undefined
  }
}
