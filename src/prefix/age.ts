import fs from 'node:fs'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { readFile } from '../sys/files.ts'

/**
 * Decrypt what was encrypted with age for this server's key.
 *
 * Shape: `encrypted` as age writes it, binary or armored; the file of identities as age-keygen writes it: a key a line, comments with `#`.
 * Errors: SECRET_KEY (no file of identities, one that others may read, or none of age's), SECRET_UNAVAILABLE (not for this key, or damaged);
 * none holds any of key or content. Source: age-encryption.org/v1.
 */
export async function decryptAge(
  encrypted: Uint8Array,
  keyFile: string | undefined,
  name: string,
): Promise<Uint8Array> {
  const { Decrypter, armor } = await import('age-encryption')
  const decrypter = new Decrypter()
  for (const [index, identity] of readIdentities(keyFile, name).entries()) {
    try {
      decrypter.addIdentity(identity)
    } catch {
      // The library's message may quote the key.
      throw keyError(name, `key ${index + 1} of ${keyFile} is none of age's`, keyFile)
    }
  }
  try {
    const text = Buffer.from(encrypted).toString('latin1')
    const isArmored = text.trimStart().startsWith('-----BEGIN AGE ENCRYPTED FILE-----')
    return await decrypter.decrypt(isArmored ? armor.decode(text) : encrypted)
  } catch {
    throw new ReleaseError('SECRET_UNAVAILABLE', `the secret ${name} cannot be decrypted with the keys of ${keyFile}`, {
      hint: 'ask the vendor to encrypt it for the public key of this server, or name the right key with cutover settings ageKeyFile=FILE',
      details: { secret: name, path: keyFile },
    })
  }
}

function readIdentities(keyFile: string | undefined, name: string): readonly string[] {
  if (keyFile === undefined) throw keyError(name, 'this prefix has no key to decrypt it with', keyFile)
  const lines = readKeyFile(keyFile, name)
    .toString('utf8')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
  if (lines.length === 0) throw keyError(name, `${keyFile} holds no key`, keyFile)
  return lines
}

/** Read the file of identities, if it is nobody else's to read. */
function readKeyFile(keyFile: string, name: string): Buffer {
  const stat = statKeyFile(keyFile, name)
  if ((stat.mode & 0o077) !== 0) {
    throw keyError(name, `${keyFile} can be read by others (mode ${(stat.mode & 0o7777).toString(8)})`, keyFile)
  }
  return readFile(keyFile)
}

function statKeyFile(keyFile: string, name: string): fs.Stats {
  try {
    return fs.statSync(keyFile)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT')) throw keyError(name, `${keyFile} does not exist`, keyFile)
    throw isErrno(caught) ? toReleaseError(caught) : caught
  }
}

/** Tell before anything happens whether there is a key that could decrypt. Errors: SECRET_KEY. */
export function assertAgeKey(keyFile: string | undefined, name: string): void {
  readIdentities(keyFile, name)
}

function keyError(name: string, why: string, keyFile: string | undefined): ReleaseError {
  return new ReleaseError('SECRET_KEY', `the secret ${name} comes encrypted: ${why}`, {
    hint:
      keyFile === undefined
        ? 'make a key with age-keygen -o FILE, name it with cutover settings ageKeyFile=FILE, and give its public key to the vendor'
        : `chmod 600 ${keyFile}, or name another file with cutover settings ageKeyFile=FILE`,
    details: { secret: name, path: keyFile },
  })
}
