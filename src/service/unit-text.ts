import { ReleaseError } from '../core/error.ts'
import type { RecipeService } from '../recipe/schema.ts'

type HardeningName = RecipeService['relax'][number]

/** What a network service does not need. Nothing here keeps an interpreter from compiling at run time (no MemoryDenyWriteExecute). */
const hardening: Readonly<Record<HardeningName, string>> = {
  NoNewPrivileges: 'yes',
  ProtectSystem: 'strict',
  ProtectHome: 'yes',
  PrivateTmp: 'yes',
  PrivateDevices: 'yes',
  ProtectClock: 'yes',
  ProtectControlGroups: 'yes',
  ProtectHostname: 'yes',
  ProtectKernelLogs: 'yes',
  ProtectKernelModules: 'yes',
  ProtectKernelTunables: 'yes',
  RestrictAddressFamilies: 'AF_INET AF_INET6 AF_UNIX',
  RestrictNamespaces: 'yes',
  RestrictRealtime: 'yes',
  RestrictSUIDSGID: 'yes',
  LockPersonality: 'yes',
  CapabilityBoundingSet: '',
  SystemCallArchitectures: 'native',
  SystemCallFilter: '@system-service',
}

/**
 * Render what is kept from a service, without what it cannot live with.
 *
 * Shape: lines of a unit's section `Service`. `changed` replaces values. Source: systemd.exec(5).
 */
export function renderHardening(
  relax: readonly string[],
  changed: Partial<Record<HardeningName, string>> = {},
): readonly string[] {
  const kept = Object.entries({ ...hardening, ...changed }).filter(([name]) => !relax.includes(name))
  return [...kept.map(([name, value]) => `${name}=${value}`), 'SystemCallErrorNumber=EPERM', 'UMask=0027']
}

/** Render a unit file of sections, each a list of lines. */
export function renderSections(sections: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(sections)
    .map(([section, lines]) => `[${section}]\n${lines.join('\n')}\n`)
    .join('\n')
}

/**
 * Quote a word for a unit file, so that neither specifiers, nor variables (in commands), nor spaces change it.
 *
 * Errors: RECIPE_PLACEHOLDER for a control character. Source: systemd.syntax(7), systemd.service(5).
 */
export function quoteUnitWord(word: string, where: 'command' | 'value'): string {
  const escaped = escapeSpecifiers(word).replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  const whole = where === 'command' ? escaped.replaceAll('$', '$$$$') : escaped
  return /^[\w@%+=:,./$-]+$/.test(whole) ? whole : `"${whole}"`
}

/** Keep a text from being taken for specifiers. Errors: RECIPE_PLACEHOLDER for a control character, which could begin another line. */
export function escapeSpecifiers(text: string): string {
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    throw new ReleaseError(
      'RECIPE_PLACEHOLDER',
      `${JSON.stringify(text)} holds a control character and cannot be in a systemd unit`,
    )
  }
  return text.replaceAll('%', '%%')
}
