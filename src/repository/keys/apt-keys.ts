/** An OpenPGP public key of an apt repository. */
export interface AptPublicKey {
  readonly fingerprint: string
  /** Armoured. */
  readonly publicKey: string
}

/** Read the keys of a block as `Signed-By` has it. */
export async function readAptKeys(block: string): Promise<readonly AptPublicKey[]> {
  const { readKeys } = await import('openpgp')
  const keys = await readKeys({ armoredKeys: block })
  return keys.map(key => ({ fingerprint: key.getFingerprint(), publicKey: key.armor() }))
}
