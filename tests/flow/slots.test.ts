import { describe } from 'vitest'
import { siteContract } from '../support/site-contract.ts'
import { needTool } from '../support/tools.ts'

describe.skipIf(!needTool('haproxy'))('a site behind HAProxy', () => siteContract('haproxy'))
