#!/usr/bin/env node
import { enableCompileCache } from '../sys/compile-cache.ts'
import { assertNodeVersion } from '../sys/node-version.ts'

assertNodeVersion()
enableCompileCache()
// Imported only now, so that the cache covers everything below.
const { processIo } = await import('../cli/io.ts')
const { runProgram } = await import('../cli/program.ts')
const { releaseExecutable } = await import('../cli/release-commands.ts')
process.exitCode = await runProgram(releaseExecutable, process.argv.slice(2), processIo())
