/** One entry of the error catalogue. */
export interface ErrorEntry {
  /** 1 failed, 2 usage, 3 not trusted, 4 needs recovery, 5 busy. */
  readonly exitCode: 1 | 2 | 3 | 4 | 5
  /** The same command may succeed later without any change. */
  readonly retryable: boolean
  /** What happened, in one sentence; the catalogue in src/ERRORS.md is made of these. */
  readonly meaning: string
  /** What to do, where the place of the error has nothing better to say. */
  readonly hint: string
}

const entry = (exitCode: ErrorEntry['exitCode'], meaning: string, hint: string, retryable = false): ErrorEntry => ({
  exitCode,
  retryable,
  meaning,
  hint,
})

/** Every error that a user can meet, by area. `src/ERRORS.md` is generated from it; a test holds both ways. */
export const errorCodes = {
  // core and sys
  INTERNAL: entry(1, 'A defect of Cutover itself.', 'report it with the output of the same command and --json'),
  USAGE: entry(2, 'The command line was not understood.', 'run the command with --help'),
  INTERRUPTED: entry(
    1,
    'A command was ended by SIGINT or SIGTERM.',
    'run the same command again; it goes on from where it was',
    true,
  ),
  VERSION_INVALID: entry(
    2,
    'A version is not in the form of Semantic Versioning.',
    'write the version as in 1.2.3 or 1.2.0-rc.1',
  ),
  DIGEST_INVALID: entry(
    1,
    'A digest is not in the form sha256:HEX.',
    'the document that holds it is damaged: fetch it again',
  ),
  PATH_UNSAFE: entry(
    3,
    'A path would leave its folder or holds control characters.',
    'do not use the file that holds it; ask its maker',
  ),
  FILE_IO: entry(
    1,
    'The system refused a file operation.',
    'look at the errno and the path; nothing half-made is left in place',
  ),
  FILE_NO_SPACE: entry(1, 'A file system or quota is full.', 'make room and run the same command again', true),
  EXEC_FAILED: entry(
    1,
    'A command ended with a failure.',
    'its last lines are in the message; run it by hand to see more',
  ),
  EXEC_NOT_FOUND: entry(1, 'A command is not installed.', 'install it and run the same command again'),
  EXEC_TIMEOUT: entry(
    1,
    'A command did not end within its time limit.',
    'raise its timeout in the recipe or find out why it hangs',
    true,
  ),
  HTTP_FAILED: entry(
    1,
    'A request failed or was answered with an error.',
    'check the address and the network, then run the same command again',
    true,
  ),
  HTTP_TOO_LARGE: entry(
    3,
    'An answer is longer than it may be.',
    'the server or something in between is not to be trusted; try another mirror',
  ),
  LOCKED: entry(
    5,
    'Another command is at work on the same thing.',
    'wait for it, or look at who holds the lock in the message',
    true,
  ),
  DOCUMENT_INVALID: entry(1, 'A stored document cannot be read.', 'restore it from a backup or another mirror'),
  DOCUMENT_NEWER: entry(1, 'A stored document was written by a newer version.', 'upgrade cutover on this machine'),
  STEP_REQUIRED: entry(
    1,
    'A step that a run cannot do without was skipped.',
    'do what the reason says, then run the same command again',
  ),

  // trust
  TRUST_ROOT: entry(
    3,
    'The pinned root of a repository is missing or damaged.',
    'run `cutover init` on the prefix again',
  ),
  TRUST_PIN: entry(
    3,
    'A repository has another root than the one expected.',
    'ask the vendor for the fingerprint; do not go on before it agrees',
  ),
  TRUST_EXPIRED: entry(
    3,
    'Signed metadata is past its date.',
    'check the clock of this machine; else the vendor must refresh the repository, or a mirror of it is frozen',
  ),
  TRUST_SIGNATURE: entry(
    3,
    'Metadata is not signed by the keys that may sign it.',
    'do not install from this address; ask the vendor',
  ),
  TRUST_ROLLBACK: entry(
    3,
    'Metadata is older than, or does not belong to, what was trusted before.',
    'try another mirror; the address may serve an old copy',
  ),
  TRUST_MISMATCH: entry(
    3,
    'Bytes are not those that were signed for.',
    'try another mirror; the address may be damaged or tampered with',
  ),
  TRUST_METADATA: entry(
    3,
    'Signed metadata is missing or malformed.',
    'try again; if it stays, the repository is incomplete: try another mirror or ask the vendor',
    true,
  ),
  RELEASE_UNKNOWN: entry(1, 'A repository has no such release.', 'run `release list` or choose a version that exists'),

  // repository
  LISTEN_FAILED: entry(
    1,
    'A repository cannot be served at an address.',
    'choose another address with --listen, or end the process that has it (`ss -ltnp` finds it)',
  ),
  REPOSITORY_UNKNOWN: entry(
    1,
    'There is no repository at an address.',
    'check the address; `release init DIR` makes a repository',
  ),
  REPOSITORY_CONFLICT: entry(
    1,
    'Something that must never change is there already with other content.',
    'releases are immutable: cut a new version',
  ),
  REPOSITORY_CHANGED: entry(
    5,
    'Somebody else published in the meantime.',
    'run the same command again: it starts from what is there now',
    true,
  ),
  REPOSITORY_DAMAGED: entry(
    1,
    'A repository does not hold what it should.',
    'look at its storage; `release verify VERSION` tells what can be read',
  ),
  RELEASE_NOT_CUT: entry(1, 'There is no such release in dist.', 'run `release cut VERSION` first'),
  RELEASE_DAMAGED: entry(
    1,
    'A file of a release is not what its record says.',
    'put the file back from where the release was cut, or cut the next version',
  ),
  RELEASE_UNTAGGED: entry(
    1,
    'A release has no tag in the git repository, or the tag marks other content.',
    'fetch the tags, or cut the release again',
  ),
  TAG_PUSH: entry(
    1,
    'The tag of a release could not be pushed, and nothing was published.',
    'look at the remote, then run the same command again',
    true,
  ),
  PACKAGE_INVALID: entry(
    1,
    'A Debian or Python package cannot be listed in an index.',
    'correct the recipe and cut the release again',
  ),
  KEY_MISSING: entry(1, 'A signing key is not in the keys folder.', 'give the folder that has it with --keys'),
  KEY_PERMISSIONS: entry(3, 'Others than you may read a signing key.', 'set the mode that the message names'),
  KEY_INVALID: entry(1, 'A key file cannot be read.', 'restore it from a backup'),
  KEY_MISMATCH: entry(
    3,
    'A signing key is not the one that the repository trusts for this.',
    'give the keys folder of this repository with --keys',
  ),
  KEY_PLACE: entry(
    2,
    'Signing keys would be published together with the repository.',
    'choose a keys folder outside of the repository with --keys',
  ),

  // evidence
  EVIDENCE_INVALID: entry(
    3,
    'An SBOM or a provenance cannot be read.',
    'fetch it from another mirror; if it stays, ask the vendor',
  ),
  EVIDENCE_SIGNATURE: entry(
    3,
    'A provenance is not signed by a key that may sign for its application.',
    'do not install from this address; ask the vendor',
  ),
  EVIDENCE_MISMATCH: entry(
    3,
    'An SBOM or a provenance is not about the release that it stands beside.',
    'do not install from this address; ask the vendor',
  ),

  // registry
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

  // recipe
  RECIPE_NOT_FOUND: entry(
    2,
    'There is no recipe at the place that was looked at.',
    'write a release.yaml (recipes/REFERENCE.md has every key), or name a recipe with --recipe',
  ),
  RECIPE_INVALID: entry(
    2,
    'A recipe has problems.',
    'correct the lines named in the message; recipes/REFERENCE.md has every key',
  ),
  RECIPE_PLACEHOLDER: entry(
    2,
    'A text of a recipe uses a placeholder that has no value.',
    'correct the name, or write $$ for a dollar sign',
  ),

  // payload and envelope
  PAYLOAD_ENTRY: entry(1, 'A tree cannot be packed.', 'correct the payload entries of the recipe'),
  PAYLOAD_LINK: entry(
    1,
    'A symbolic link in the tree would point outside of the payload.',
    'make the link relative and let it point below the payload root, or exclude it in the recipe',
  ),
  PAYLOAD_CHANGED: entry(
    1,
    'A file changed while it was packed.',
    'stop what writes to the build folder and run the same command again',
    true,
  ),
  MANIFEST_INVALID: entry(3, 'A payload manifest cannot be trusted or read.', 'fetch it again from another mirror'),
  RECORD_INVALID: entry(3, 'A release record cannot be trusted or read.', 'fetch it again from another mirror'),
  SEGMENT_MISSING: entry(
    1,
    'The file that holds a payload is not where it should be.',
    'try another mirror, or publish the release again with `release upload`',
    true,
  ),
  SEGMENT_SHORT: entry(1, 'A mirror sent fewer bytes than it should.', 'run the same command again', true),
  SEGMENT_DIGEST: entry(3, 'A mirror sent other bytes than were signed.', 'try another mirror, and tell its owner'),
  SEGMENT_DECODE: entry(3, 'A segment does not hold what the manifest says.', 'try another version or mirror'),
  FILE_DIGEST: entry(3, 'A file in a payload is not what the manifest says.', 'try another version or mirror'),
  TAR_INVALID: entry(3, 'A tar cannot be read under the rules of dpkg.', 'do not use the file that holds it'),
  DEB_INVALID: entry(3, 'A Debian package breaks the rules of deb(5).', 'do not use it; ask its maker'),
  DEB_FIELD: entry(1, 'A control field would break the package.', 'correct the recipe'),
  DEB_TOO_LARGE: entry(1, 'A Debian package cannot hold this much.', 'split the payload or ship a tarball'),
  DELTA_INVALID: entry(
    3,
    'A delta pack cannot be trusted or read, or leads to another release.',
    'fetch it again from another mirror; what it saves can be fetched from the tarball',
  ),
  DELTA_BASE_MISMATCH: entry(
    1,
    'A file of an earlier release is not the one that a delta pack starts from.',
    'fetch the files from an envelope of the release instead; `cutover verify` tells what was changed',
  ),
  IMAGE_INVALID: entry(3, 'An image layout breaks the rules of the OCI image specification.', 'do not use it'),
  IMAGE_ARCHIVE_INVALID: entry(
    3,
    'An archive is not what docker save, podman save or skopeo write, or it tries to reach outside of itself.',
    'do not use it; save the image anew',
  ),
  IMAGE_USER: entry(
    1,
    'An image would run as somebody whom it does not know.',
    'give artifacts.oci.user by number, such as "1000:1000", or take a base that has the user',
  ),
  IMAGE_BASE_PATH: entry(
    1,
    'A folder of the payload would take the place of a link in the base image, and with it of all that is behind the link.',
    'let payload.root name the folder that the link leads to, such as usr/lib/… for lib/…',
  ),
  BASE_UNLOCKED: entry(
    2,
    'A recipe builds on an image whose content nobody has fixed.',
    'run `release image lock` and commit the lock file',
  ),
  BASE_CHANGED: entry(
    3,
    'An image that a recipe builds on is not the one that was locked.',
    'see why it changed; if that is meant, run `release image lock` and commit the lock file',
  ),
  BASE_LOCK_INVALID: entry(2, 'A lock file cannot be read.', 'remove it and run `release image lock`'),
  ENVELOPE_MISMATCH: entry(
    1,
    'An envelope does not hold the payload that it was made from.',
    'report it with the output of the same command and --json',
  ),

  // inspect
  INSPECT_UNKNOWN: entry(
    1,
    'There is nothing at a place that `release cut` could have written.',
    'name a tarball, a .deb, an image layout, a payload manifest or a delta pack: see dist/VERSION',
  ),
  INSPECT_NO_MANIFEST: entry(
    1,
    'What is in a file is only known with the payload manifest, which is not there.',
    'name it with --manifest; `release cut` writes it beside the tarball as NAME-VERSION.manifest.json.zst',
  ),
  INSPECT_NO_FILE: entry(1, 'A path is no file of a payload.', 'run the same command with --list to see its files'),
  INSPECT_DIFFERS: entry(
    1,
    'A folder is not what a payload unpacks to.',
    'unpack it anew, or see what changed it; the paths are in the message',
  ),
  INSPECT_NO_CONTENT: entry(
    1,
    'A manifest or delta pack does not hold the files that it names.',
    'run the same command on the tarball, package or image of the release',
  ),

  // prefix and install
  PREFIX_UNKNOWN: entry(2, 'A folder is not a prefix.', 'run `cutover init` for it, or name another with --prefix'),
  PREFIX_DAMAGED: entry(
    4,
    'A prefix does not look as its journal says.',
    'put back what the message names, then run `cutover recover`',
  ),
  PREFIX_MISMATCH: entry(
    2,
    'A prefix exists already for another application or repository.',
    'choose another folder: a prefix stays with its application and repository',
  ),
  JOURNAL_DAMAGED: entry(
    4,
    'The journal of a prefix is damaged in its middle.',
    'restore journal/journal.ndjson from a backup; what runs is not touched',
  ),
  JOURNAL_SEQUENCE: entry(
    4,
    'The journal of a prefix has a gap, a repetition or a record that cannot follow.',
    'restore journal/journal.ndjson from a backup; what runs is not touched',
  ),
  JOURNAL_FULL: entry(
    1,
    'There is no room for the journal of a prefix.',
    'make room on the file system of the prefix and run the same command again',
    true,
  ),
  RELEASE_CHANGED: entry(
    3,
    'A release is not what it was when it was signed, fetched or staged.',
    'run `cutover verify` to see what differs',
  ),
  RUNTIME_MISSING: entry(1, 'The interpreter that a release needs is not installed.', 'install it'),
  RUNTIME_VERSION: entry(1, 'No interpreter of this machine has the version that a release needs.', 'install one'),
  SETUP_FAILED: entry(
    1,
    'A release could not be set up; the active version was not touched.',
    'look at the output in the message; it is tried again when the version is named with --version',
  ),
  MIGRATION_FAILED: entry(
    1,
    'A data migration failed; the version before serves.',
    'look at the output in the message; it is tried again when the version is named with --version',
  ),
  INSTALL_UNHEALTHY: entry(
    1,
    'A version did not start, become healthy or stay so; the version before serves again.',
    'look at the logs below run/log of the prefix, then cut a new version',
  ),
  ROLLBACK_NONE: entry(1, 'There is no version to go back to.', 'install the version that you want with --version'),
  ROLLBACK_FLOOR: entry(
    1,
    'A version is older than the data allows after a forward-only migration.',
    'choose a later version, or restore the data by hand',
  ),
  VERIFY_NONE: entry(1, 'There is no such installed version to verify.', 'install a version first'),
  VERIFY_FAILED: entry(
    3,
    'An installed release is not what was signed.',
    'do not trust what runs; install another version, remove this one, and install it again',
  ),
  RECOVERY_INCOMPLETE: entry(
    4,
    'An interrupted or failed change could be neither finished nor undone.',
    'see to what the message names, then run `cutover recover`',
  ),
  ENVIRONMENT_UNKNOWN: entry(
    2,
    'A release knows nothing of the environment of the prefix.',
    'run `cutover init` on the prefix again with another --environment, or add this one to the recipe and cut a new version',
  ),
  // gate, service and serve
  GATE_STATE_INVALID: entry(
    1,
    'The stored state of a gate cannot be read.',
    'nothing to do: the gate passes requests on and writes its state anew',
  ),
  GATE_ADDRESS_INVALID: entry(
    2,
    'An address cannot be listened on.',
    'write it as HOST:PORT, [HOST]:PORT or unix:PATH, on an interface of this machine',
  ),
  GATE_ADDRESS_IN_USE: entry(
    1,
    'Another process listens on the address.',
    'find it with `ss -ltnp` and end it, or choose another address',
  ),
  GATE_REQUEST_INVALID: entry(
    1,
    'A serving process was asked something that it does not understand.',
    'use the same version of cutover for both',
  ),
  GATE_UNREACHABLE: entry(
    1,
    'A serving process did not answer.',
    'look at its log and run the same command again',
    true,
  ),
  HANDOVER_UNSUPPORTED: entry(
    1,
    'This Node cannot hold a listening socket without accepting on it.',
    'use Node 26.4 or newer, let systemd hand over the socket (LISTEN_FDS), or use mode proxy',
  ),
  SERVE_BUSY: entry(5, 'Another process already serves the prefix.', 'use it, or end it first', true),
  SERVE_NOT_RUNNING: entry(1, 'Nothing serves the prefix.', 'start it with `cutover serve PREFIX`'),
  SERVE_NO_RELEASE: entry(1, 'The release to start is not in the prefix.', 'install it first'),
  SERVICE_START_FAILED: entry(
    1,
    'A service cannot be started.',
    'look at its command in the recipe and at its log in run/log',
    true,
  ),

  // source
  GIT_FAILED: entry(1, 'A git command failed.', 'its last lines are in the message; run it by hand to see more'),
  SOURCE_NOT_GIT: entry(
    2,
    'A folder is not in a git repository.',
    'run the command in the repository of the application',
  ),
  SOURCE_EMPTY: entry(2, 'A repository has no commit.', 'commit the application first'),
  SOURCE_SHALLOW: entry(2, 'A shallow clone does not know its last release.', 'run git fetch --unshallow --tags'),
  SOURCE_SUBMODULE: entry(
    2,
    'Submodules are not supported: a release is cut from one commit of one repository.',
    'vendor their content, or package them as releases of their own',
  ),
  SOURCE_DIRTY: entry(
    2,
    'There are changes that no commit has, so that they would not be released.',
    'commit or stash them, or add them to .gitignore',
  ),
  SOURCE_BRANCH: entry(
    2,
    'Releases are cut from another branch.',
    'switch to the branch that the recipe names, or cut a --snapshot',
  ),
  SOURCE_BEHIND: entry(2, 'The remote has commits that are not here.', 'pull them first'),
  SOURCE_IDENTITY: entry(
    2,
    'Git does not know who makes the release.',
    'run git config user.name and git config user.email',
  ),
  SOURCE_MOVED: entry(
    1,
    'Branch or tag changed while a release was made; it was not published.',
    'run the same command again',
    true,
  ),
  SOURCE_EDIT_UNSAFE: entry(
    2,
    'A version file or changelog is not a plain file of the repository.',
    'name the file itself in the recipe',
  ),
  VERSION_MISSING: entry(
    2,
    'A release was asked for without a version.',
    'give one, as in release cut 1.2.3, or use --snapshot',
  ),
  VERSION_NOT_HIGHER: entry(2, 'A version is not higher than the last release.', 'choose a higher version'),
  VERSION_FILE_INVALID: entry(
    2,
    'The version cannot be set in a file that the recipe names.',
    'correct source.versionFiles in the recipe',
  ),
  TAG_EXISTS: entry(
    2,
    'The tag of a release exists already.',
    'a release is never replaced: publish it with `release upload`, or choose the next version',
  ),

  // build
  BUILD_COMMAND: entry(
    1,
    'A command of the recipe (tests, build) failed.',
    'its last lines are in the message; correct it, commit, and cut again',
  ),
  BUILD_ENTRY_MISSING: entry(
    2,
    'The payload names something that the build did not make.',
    'correct payload.entries in the recipe, or the build',
  ),
  BUILD_ENTRY_REPEATED: entry(2, 'Two payload entries bring the same path.', 'correct payload.entries in the recipe'),
  BUILD_ENTRY_KIND: entry(
    2,
    'The payload holds something that is neither file, folder nor link.',
    'exclude it in the recipe',
  ),
  BUILD_EMPTY: entry(2, 'The payload has no file.', 'correct payload in the recipe'),
  BUILD_OVERLAP: entry(
    2,
    'Two packages of the release ship the same file, which dpkg would refuse.',
    'let only one component have the file, by payload.exclude or payload.entries in the recipe',
  ),
  BUILD_PYTHON: entry(
    2,
    'The Python distributions that the recipe names are not as expected.',
    'correct artifacts.python in the recipe, or the build',
  ),
  BUILD_ARTIFACT_REPEATED: entry(
    2,
    'Two artifacts of a release have the same file name.',
    'rename what the build makes',
  ),

  // rebuild
  REBUILD_SOURCE: entry(
    1,
    'A clone has not the tag or the commit that a release was cut from.',
    'run the command in a clone of the repository that the release was cut in, after git fetch --tags',
  ),
  REBUILD_DIFFERS: entry(
    1,
    'A release that was built again is not what was released.',
    'the table says where and why: correct that step of the build and cut the next version, or find out who changed the release',
  ),

  // cut
  REHEARSAL_FAILED: entry(
    1,
    'A release that was tried out before it is tagged did not work.',
    'the message has what failed and the last lines of the services; correct it, commit, and cut again',
  ),
  REHEARSAL_UNHEALTHY: entry(
    1,
    'What was installed on trial does not run or is not healthy.',
    'look at the lines of the services in the message',
  ),
} as const satisfies Record<string, ErrorEntry>

/** The code of a ReleaseError: `AREA_WHAT`. */
export type ErrorCode = keyof typeof errorCodes
