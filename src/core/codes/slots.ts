import { type ErrorEntries, entry } from './entry.ts'

/** Errors of sites with slots. */
export const slotsCodes = {
  SITE_UNKNOWN: entry(
    1,
    'The folder is not a site.',
    'make one with `cutover slots init SITE --slot blue=PREFIX --slot green=PREFIX --role production=blue --role development=green`',
  ),
  SITE_INVALID: entry(
    1,
    'What was said of a site cannot be.',
    'each slot is a prefix of its own, of the same application; each role has one slot and each slot one role',
  ),
  SITE_ROUTER_MISSING: entry(
    2,
    'A site needs an HAProxy or an nginx that leads the clients of a role to its slot.',
    'say --haproxy SOCKET --map FILE or --nginx PID-FILE; without one, upgrade the prefix in place with `cutover install`, which holds requests as well',
  ),
  ROLE_UNKNOWN: entry(
    1,
    'A release does not know the role that its slot has.',
    'add it to node.roles of the recipe and cut a new version, or call the role of the site as the recipe does',
  ),
  ROLE_MOUNT_TAKEN: entry(
    1,
    'Something stands where the folder of a role is to be.',
    'move what is in it to the folder of the site that the message names',
  ),
  SLOT_NOT_READY: entry(
    1,
    'A slot cannot take part in a switch.',
    'see to what the message names; `cutover slots status` shows all slots',
    true,
  ),
  SLOT_UNHEALTHY: entry(
    1,
    'A slot did not become healthy in its role.',
    'the roles are as they were before; look at the log of the slot, mend it, and switch again',
  ),
  SWITCH_NO_WAY_BACK: entry(
    1,
    'After the switch there would be no way back, for the version before cannot run on the data.',
    'install the version in the production slot instead, which has backups and a rollback floor for that',
  ),
  SWITCH_UNFINISHED: entry(
    4,
    'A switch of the site was interrupted.',
    'run `cutover switch SITE --resume`, which goes on or back',
  ),
  ROUTE_NOT_TAKEN: entry(
    1,
    'The server in front does not lead clients where it was told to.',
    'see that its configuration is what `cutover slots config` prints, and that it runs',
  ),
} as const satisfies ErrorEntries
