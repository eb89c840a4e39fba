import { z } from 'zod'
import { name } from './values.ts'

const path = z.string().min(1)

/** What both need: where the waiting room is, and who may use it. */
const waiting = (group: string) => ({
  name: name
    .optional()
    .describe(
      'The name that what is ours has in its configuration; that of the application when absent, and of its slot.',
    ),
  folder: path
    .optional()
    .describe(
      'The folder of the socket over which requests come to us while they wait; the server must reach it. Absent: below /run/cutover for root, else `run/waiting` of the prefix. May use variables of the environment.',
    ),
  group: z.string().min(1).default(group).describe('The group of its processes, which may use that socket.'),
})

/** The HAProxy of the machine. */
export const haproxy = z
  .strictObject({
    ...waiting('haproxy'),
    socket: path
      .default('/run/haproxy/admin.sock')
      .describe('Its runtime socket, level admin. May use variables of the environment.'),
    map: path
      .optional()
      .describe(
        'The map file that says which backend gets the requests; kept by the gate. Absent: `run/routes.map` of the prefix. May use variables of the environment.',
      ),
    key: z
      .string()
      .min(1)
      .optional()
      .describe('The line of the map that is ours; the name when absent. May use variables of the environment.'),
    chroot: path.optional().describe('Where it locks itself up (its `chroot`), so that our socket must be below that.'),
  })
  .prefault({})
  .describe('With mode `haproxy`: where the HAProxy of the machine is told.')

/** The nginx of the machine. */
export const nginx = z
  .strictObject({
    ...waiting('www-data'),
    file: path
      .optional()
      .describe(
        'The file that its configuration includes; written by the gate. Absent: /etc/nginx/conf.d/cutover-NAME.conf. May use variables of the environment.',
      ),
    pidFile: path
      .default('/run/nginx.pid')
      .describe('Where its master process is found, to be told to reload. May use variables of the environment.'),
    check: z
      .array(z.string())
      .min(1)
      .default(['nginx', '-T', '-q'])
      .describe('How its configuration is checked before a reload, and written out.'),
  })
  .prefault({})
  .describe('With mode `nginx`: what the nginx of the machine includes.')
