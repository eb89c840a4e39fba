import { expect, it } from 'vitest'
import { renderMetrics } from '../../../../src/gate/observe/render-metrics.ts'
import { snapshot } from './samples.ts'

it('tells the mode by one gauge for each', () => {
  const text = renderMetrics(snapshot())
  expect(text.match(/^cutover_gate_mode\{.*$/gm)).toEqual([
    'cutover_gate_mode{mode="pass"} 0',
    'cutover_gate_mode{mode="hold"} 1',
    'cutover_gate_mode{mode="backoff"} 0',
    'cutover_gate_mode{mode="drain"} 0',
  ])
})

it('cumulates the buckets of a histogram, in seconds', () => {
  const text = renderMetrics(snapshot())
  expect(text).toContain('cutover_gate_wait_seconds_bucket{le="0.01"} 0\n')
  expect(text).toContain('cutover_gate_wait_seconds_bucket{le="0.025"} 1\n')
  expect(text).toContain(
    'cutover_gate_wait_seconds_bucket{le="+Inf"} 1\ncutover_gate_wait_seconds_sum 0.02\ncutover_gate_wait_seconds_count 1\n',
  )
})

it('escapes what a label cannot have', () => {
  const text = renderMetrics(snapshot({ version: '1"\\\n2' }))
  expect(text).toContain('version="1\\"\\\\\\n2"')
})
