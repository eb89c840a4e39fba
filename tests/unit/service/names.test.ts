import { expect, it } from 'vitest'
import { instanceName, managedName } from '../../../src/service/names.ts'

it('names each prefix differently, in signs that every manager takes', () => {
  const names = [instanceName('notes', '/srv/a'), instanceName('notes', '/srv/b'), instanceName('c++', '/srv/a')]
  expect(new Set(names).size).toBe(3)
  for (const name of names) expect(managedName(name, 'a+b.c-d')).toMatch(/^cutover-[a-z0-9_.-]+-[0-9a-f]{8}-a_b\.c-d$/)
})
