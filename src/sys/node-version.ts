/** The oldest Node that has all that is used; package.json says the same to npm. */
const [neededMajor, neededMinor] = [24, 15]

/**
 * End the process with a clear word when its Node is too old, instead of with whatever is missing first.
 *
 * Pre: this module and what it imports must run on any Node that knows ES modules.
 */
export function assertNodeVersion(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return
  const needed = `${neededMajor}.${neededMinor}`
  process.stderr.write(`error: Node ${process.versions.node} is too old, ${needed} or newer is needed\n`)
  process.stderr.write(`hint: put Node ${needed} or newer first on PATH\n`)
  process.exit(2)
}
