import { type ErrorEntries, entry } from './entry.ts'

/** Errors of registry. */
export const registryCodes = {
  REFERENCE_INVALID: entry(
    2,
    'The name of an image is not in the form that registries understand.',
    'write it as HOST[:PORT]/NAME[:TAG][@sha256:HEX], NAME in lower case',
  ),
  REGISTRY_AUTH: entry(
    1,
    'A registry denied a request: no credentials for it, wrong ones, or too few rights.',
    'run `podman login` or `docker login` for that registry with an account that may do this',
  ),
  REGISTRY_CREDENTIALS: entry(
    1,
    'The credentials for a registry cannot be read.',
    'correct the file or the credential helper that the message names, or log in again',
  ),
  REGISTRY_INSECURE: entry(
    3,
    'A registry would have secrets or content go where they could be read or changed.',
    'do not go on before the owner of the registry has explained it',
  ),
  REGISTRY_UNKNOWN: entry(
    1,
    'A registry has no such image, tag or blob.',
    'check the name; `release image inspect` shows what is there',
  ),
  REGISTRY_REFUSED: entry(
    1,
    'A registry answered a request with an error.',
    'the error of the registry is in the message; ask its owner when it stays',
  ),
  REGISTRY_UNAVAILABLE: entry(
    1,
    'A registry did not do its work after several attempts.',
    'run the same command again later: what has arrived is not sent again',
    true,
  ),
  REGISTRY_PROTOCOL: entry(
    1,
    'A registry answered against the distribution specification.',
    'check that the address is that of a registry, and what stands in front of it',
  ),
  REGISTRY_DIGEST: entry(
    3,
    'A registry sent other bytes than were asked for.',
    'do not use this registry or mirror before its owner has explained it',
  ),
  IMAGE_UNSUPPORTED: entry(
    1,
    'An image is of a kind or for platforms that cannot be used here.',
    'choose another image or platform; `release image inspect` shows what there is',
  ),
} as const satisfies ErrorEntries
