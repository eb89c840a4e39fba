import { type ErrorEntries, entry } from './entry.ts'

/** Errors of gate, service and serve. */
export const gateCodes = {
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
  GATE_TLS_INVALID: entry(
    1,
    'A certificate or its key cannot be used.',
    'both are PEM files that belong together: compare `openssl x509 -noout -pubkey -in CERTIFICATE` and `openssl pkey -pubout -in KEY`',
  ),
  GATE_TLS_KEY_EXPOSED: entry(
    1,
    'The key of a certificate can be read by others.',
    'make it private with `chmod 600`, and ask for a new certificate if others had access',
  ),
  RELAY_UNSUPPORTED: entry(
    1,
    'A gate cannot have another one answer in its place.',
    'nothing to do: what waited there was turned away instead',
  ),
  GATE_CANNOT_SOFTEN: entry(
    1,
    'The soft phase was asked of a gate that does not pass requests, or that they do not pass through.',
    'look at it with `cutover gate status`; in mode handover requests reach the application by themselves',
  ),
  GATE_PAGE_INVALID: entry(
    1,
    'The page of a release for those who are turned away cannot be used; clients get that of the gate.',
    'correct `gate.backoff.page` in the recipe: a file of the release of at most 256 KiB',
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
  GATE_SERVER_UNREACHABLE: entry(
    1,
    'The HAProxy or nginx in front of an application does not answer.',
    'start it, and look whether the recipe names its socket or pid file rightly',
    true,
  ),
  GATE_SERVER_REFUSED: entry(
    1,
    'The HAProxy or nginx in front of an application does not do what it was told.',
    'compare its configuration with what `cutover gate config` prints',
  ),
  GATE_SERVER_SETTINGS: entry(
    2,
    'The recipe does not say what is needed to tell the HAProxy or nginx in front, or says what it cannot be told.',
    'correct node.gate.haproxy or node.gate.nginx; see recipes/REFERENCE.md',
  ),
  HANDOVER_UNSUPPORTED: entry(
    1,
    'The listening sockets cannot be given to the application, as mode handover does.',
    'use Node 26.4 or newer, let systemd hand over the sockets (LISTEN_FDS), or use mode proxy',
  ),
  SERVE_BUSY: entry(5, 'Another process already serves the prefix.', 'use it, or end it first', true),
  SERVE_NOT_RUNNING: entry(1, 'Nothing serves the prefix.', 'start it with `cutover serve PREFIX`'),
  SERVE_NO_RELEASE: entry(1, 'The release to start is not in the prefix.', 'install it first'),
  GATE_UPGRADE_REFUSED: entry(
    1,
    'A serving process cannot be replaced by its successor now, or not where it runs.',
    'wait until requests pass and nothing is being installed; where it can never be, end it and start it again',
    true,
  ),
  GATE_UPGRADE_FAILED: entry(
    1,
    'The successor of a serving process did not take over; the one before it goes on.',
    'see the reason in the message, and try it with another cutover by --cutover',
    true,
  ),
  OVERLAP_UNSUPPORTED: entry(
    1,
    'No release can be run beside another by this serving process.',
    'nothing to do: `cutover install` holds requests instead; see the README of src/gate for who can',
  ),
  OVERLAP_LOST: entry(
    1,
    'A release that was started beside the live one does not run any more.',
    'look at its log in run/log and run the same command again',
    true,
  ),
  SERVICE_START_FAILED: entry(
    1,
    'A service cannot be started.',
    'look at its command in the recipe and at its log in run/log',
    true,
  ),
  SERVICE_ADOPT_FAILED: entry(
    1,
    'A service that an earlier serving process left running cannot be taken over.',
    'nothing to do: the serving process that runs it goes on',
  ),
  SERVICE_JOB_FAILED: entry(
    1,
    'A job that runs before or after the start of a service failed.',
    'look at its output in run/log, correct it, and install again',
  ),
  SERVICE_DRIVER_UNSUITABLE: entry(
    1,
    'A service cannot be run by the driver that was chosen for it.',
    'choose another driver with `cutover settings`, or correct the recipe',
  ),
  SERVICE_MANAGER_FAILED: entry(
    1,
    'The systemd, supervisor or podman of the machine did not do what it was asked.',
    'look at what it says of the unit, program or container named in the message',
    true,
  ),
  COMPOSE_INVALID: entry(
    1,
    'A compose file cannot be used.',
    'keep to the keys that are understood; see the README of src/service',
  ),
} as const satisfies ErrorEntries
