/** How well something is, as monitoring systems have it. Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes". */
export type Condition = 'ok' | 'warning' | 'critical' | 'unknown'

/** The exit code of a condition. */
export const conditionCodes: Readonly<Record<Condition, number>> = { ok: 0, warning: 1, critical: 2, unknown: 3 }

/** A value for graphs. `unit` is `s`, `B`, `%` or nothing. Source: the same guidelines, "Performance data". */
export interface Measure {
  readonly name: string
  readonly value: number
  readonly unit: '' | 's' | 'B' | '%'
  readonly warning?: number
  readonly critical?: number
}

/** Something that was looked at. */
export interface Finding {
  readonly name: string
  readonly condition: Condition
  readonly text: string
  readonly measures: readonly Measure[]
}

/** From where on something is a warning, and from where on critical. */
export interface Threshold {
  readonly warning: number
  readonly critical: number
}

const order = ['ok', 'unknown', 'warning', 'critical'] as const satisfies readonly Condition[]

/** The worst of some conditions: what is known to be bad counts for more than what could not be found out. Pure. */
export function worst(conditions: readonly Condition[]): Condition {
  return order.findLast(condition => conditions.includes(condition)) ?? 'ok'
}

/** Judge a value that is the worse the higher it is. Pure. */
export function judge(value: number, threshold: Threshold): Condition {
  if (value >= threshold.critical) return 'critical'
  return value >= threshold.warning ? 'warning' : 'ok'
}

/**
 * Write findings as a monitoring plugin does: a line with the condition, what is not well or else all in short, and the measures behind `|`; then a line for
 * each finding. Pure.
 */
export function renderFindings(subject: string, summary: string, findings: readonly Finding[]): string {
  const condition = worst(findings.map(finding => finding.condition))
  const troubles = findings.filter(finding => finding.condition !== 'ok')
  const told = troubles.length === 0 ? summary : troubles.map(({ name, text }) => `${name}: ${text}`).join('; ')
  const measures = findings.flatMap(finding => finding.measures).map(renderMeasure)
  const details = findings.map(({ name, condition: each, text }) => `${name} ${each.toUpperCase()}: ${plain(text)}`)
  return [`${subject} ${condition.toUpperCase()}: ${plain(told)} | ${measures.join(' ')}`, ...details].join('\n')
}

function renderMeasure({ name, value, unit, warning, critical }: Measure): string {
  const limits = warning === undefined ? '' : `;${warning};${critical ?? ''}`
  return `${name}=${value}${unit}${limits}`
}

/** A line end or a `|` would begin something else. */
function plain(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').replaceAll('|', '/')
}
