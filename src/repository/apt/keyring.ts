import { armor, enums, generateKey, PacketList, readKey } from 'openpgp'
import type { AptKeyFile } from '../keys/key-file.ts'

/** Make an ed25519 signing key. Its time lies a minute back, for a client whose clock is a little behind ours. */
export async function generateAptKey(userName: string, nowMs: number): Promise<AptKeyFile> {
  const { privateKey, publicKey } = await generateKey({
    // The older encoding of Curve25519: gpgv 2.2 to 2.4 cannot read the one of RFC 9580.
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: userName }],
    subkeys: [],
    date: new Date(nowMs - 60_000),
    format: 'armored',
  })
  const fingerprint = (await readKey({ armoredKey: publicKey })).getFingerprint()
  return { schema: 1, kind: 'openpgp', fingerprint, publicKey, privateKey }
}

/**
 * Write public keys as one armoured block, for `Signed-By` and the file that clients fetch.
 *
 * Shape: one block, for of several readers take the first only; with the checksum that RFC 9580 has no more, for without it
 * `gpg --dearmor` (2.2) leaves a byte behind the keys that makes the last of them unreadable.
 */
export async function renderKeyring(keys: readonly Pick<AptKeyFile, 'publicKey'>[]): Promise<string> {
  const packets = new PacketList()
  for (const { publicKey } of keys) packets.push(...(await readKey({ armoredKey: publicKey })).toPacketList())
  return armor(enums.armor.publicKey, packets.write(), undefined, undefined, undefined, true)
}
