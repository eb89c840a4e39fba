import { describe, expect, it } from 'vitest'
import { type ImageConfig, renderConfig } from '../../../src/envelope/oci-config.ts'
import { parseStoredConfig } from '../../../src/envelope/oci-stored-config.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import { baseRun } from '../../support/base-layout.ts'

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const
const manifest = {
  name: 'app',
  version: '1.0.0',
  root: 'opt/app',
  sourceDateEpoch: 1_767_225_600,
  tar: { digest: digest('f'), sizeBytes: 1 },
} as unknown as PayloadManifest
const plain: ImageConfig = { environment: {}, ports: [], volumes: [], labels: {} }

interface Rendered {
  readonly config: Readonly<Record<string, unknown>>
  readonly history: readonly Readonly<Record<string, unknown>>[]
  readonly [key: string]: unknown
}

function render(config: Partial<ImageConfig>, run?: object, image: object = {}): Rendered {
  const stored = { architecture: 'arm64', os: 'linux', config: run, rootfs: { diff_ids: [digest('a')] }, ...image }
  const base = {
    config: parseStoredConfig(Buffer.from(JSON.stringify(stored)), 'base'),
    layers: [{ digest: digest('b') }],
  }
  const context = { manifest, architecture: 'arm64', ...(run === undefined ? {} : { base }) }
  return JSON.parse(JSON.stringify(renderConfig({ ...plain, ...config }, context))) as Rendered
}

describe('renderConfig on a base', () => {
  it('inherits what the recipe leaves open, but not the working directory', () => {
    expect(render({}, baseRun).config).toEqual({ ...baseRun, WorkingDir: '/opt/app' })
  })

  it('replaces variables where they stand, and adds the others in order', () => {
    const { config } = render({ environment: { Z: '1', LANG: 'de', A: 'b=c' } }, baseRun)
    expect(config['Env']).toEqual(['PATH=/usr/bin:/bin', 'LANG=de', 'A=b=c', 'Z=1'])
  })

  it('adds ports, volumes and labels to those of the base', () => {
    const { config } = render({ ports: ['53/udp'], volumes: ['/data'], labels: { vendor: 'x', b: 'c' } }, baseRun)
    expect(config).toMatchObject({
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Volumes: { '/cache': {}, '/data': {} },
      Labels: { vendor: 'x', b: 'c' },
    })
  })

  it.each<[string, Partial<ImageConfig>, unknown, unknown]>([
    ['nothing', {}, ['/bin/tini', '--'], ['/bin/sh']],
    ['arguments', { cmd: ['app'] }, ['/bin/tini', '--'], ['app']],
    ['an entry point', { entrypoint: ['/app'] }, ['/app'], undefined],
    ['both', { entrypoint: ['/app'], cmd: ['x'] }, ['/app'], ['x']],
    ['an empty entry point', { entrypoint: [] }, undefined, undefined],
    ['no arguments', { cmd: [] }, ['/bin/tini', '--'], undefined],
  ])('takes entry point and arguments as Docker does when the recipe gives %s', (_, config, entrypoint, cmd) => {
    expect([render(config, baseRun).config['Entrypoint'], render(config, baseRun).config['Cmd']]).toEqual([
      entrypoint,
      cmd,
    ])
  })

  it.each([
    [undefined, undefined, '65534:65534'],
    [undefined, '', '65534:65534'],
    [undefined, 'root', '65534:65534'],
    [undefined, '0:0', '65534:65534'],
    [undefined, 'root:web', '65534:65534'],
    [undefined, '000', '65534:65534'],
    [undefined, 'rooter', 'rooter'],
    [undefined, '1000', '1000'],
    ['0:0', 'web', '0:0'],
    ['other', 'web', 'other'],
  ])('with user %s on a base with %s runs as %s', (user, inherited, expected) => {
    expect(render({ user }, { User: inherited }).config['User']).toBe(expected)
  })

  it('keeps what tells platforms apart, a health check and a shell', () => {
    const image = { variant: 'v8', 'os.version': '10.0', 'os.features': ['win32k'] }
    const health = { Healthcheck: { Test: ['CMD', 'x'] }, Shell: ['/bin/bash', '-c'] }
    expect(render({}, health, image)).toMatchObject({ ...image, architecture: 'arm64', config: health })
  })

  it('puts its layer on top', () => {
    expect(render({}, {})['rootfs']).toEqual({ type: 'layers', diff_ids: [digest('a'), digest('f')] })
  })

  it('keeps the history of the base, and tells what it did', () => {
    const history = [{ created_by: 'base' }, { created_by: 'ENV', empty_layer: true }]
    const rendered = render({ environment: { A: 'b c' }, ports: ['8080/tcp'], cmd: ['x'] }, {}, { history })
    expect(rendered.history.slice(0, 2)).toEqual(history)
    const own = rendered.history.slice(2)
    expect(own.map(entry => entry['created_by'])).toEqual([
      'COPY payload /opt/app',
      'ENV A="b c"',
      'EXPOSE 8080/tcp',
      'WORKDIR /opt/app',
      'CMD ["x"]',
    ])
    expect(own.filter(entry => entry['empty_layer'] !== true).length).toBe(1)
    expect(own.every(entry => entry['created'] === '2026-01-01T00:00:00.000Z')).toBe(true)
  })

  it('gives every layer of a silent base its entry', () => {
    const layers = (rendered: Rendered) => rendered.history.filter(entry => entry['empty_layer'] !== true).length
    expect(layers(render({}, {}))).toBe(2)
    expect(layers(render({}, {}, { history: [{}, {}, {}] }))).toBe(2)
  })

  it('starts from nothing without a base', () => {
    expect(render({ cmd: ['x'] })).toMatchObject({
      config: { User: '65534:65534', WorkingDir: '/opt/app', Env: [], Cmd: ['x'] },
      rootfs: { diff_ids: [digest('f')] },
    })
  })
})
