import { describe, expect, it } from 'vitest'
import { pinnedEnvironment, registrySettings } from '../../../src/build/environment.ts'

const options = {
  sourceDateEpoch: 1_790_000_000,
  home: '/scratch/home',
  temporary: '/scratch/tmp',
  interpreterFolder: '/node/bin',
}

describe('pinnedEnvironment', () => {
  it('pins time, time zone, locale, folders and PATH', () => {
    const environment = pinnedEnvironment({ ...options, inherited: {} })
    expect(environment).toMatchObject({
      TZ: 'UTC',
      LC_ALL: 'C.UTF-8',
      LANG: 'C.UTF-8',
      SOURCE_DATE_EPOCH: '1790000000',
      HOME: '/scratch/home',
      TMPDIR: '/scratch/tmp',
    })
    expect(environment['PATH']).toMatch(/^\/node\/bin:\/usr\/local\/sbin:/)
  })

  it('is the same whoever runs it, but for where packages come from', () => {
    const ada = {
      USER: 'ada',
      HOME: '/home/ada',
      TZ: 'Asia/Tokyo',
      LC_ALL: 'de_DE.UTF-8',
      PATH: '/home/ada/bin',
      NODE_OPTIONS: '--max-old-space-size=1',
      NODE_ENV: 'production',
      npm_config_omit: 'dev',
      CFLAGS: '-O3',
      GIT_DIR: '/x',
    }
    const { npm_config_cache, PIP_CACHE_DIR, ...pinned } = pinnedEnvironment({ ...options, inherited: ada })
    expect(pinned).toEqual(pinnedEnvironment({ ...options, inherited: {} }))
    expect([npm_config_cache, PIP_CACHE_DIR]).toEqual(['/home/ada/.npm', '/home/ada/.cache/pip'])
  })

  it('passes proxies, certificates, registries and caches', () => {
    const inherited = {
      HTTPS_PROXY: 'http://proxy:1',
      no_proxy: 'localhost',
      NPM_CONFIG_REGISTRY: 'https://npm.example',
      npm_config_cache: '/cache',
      PIP_INDEX_URL: 'https://pip.example',
      NODE_EXTRA_CA_CERTS: '/ca.pem',
    }
    expect(pinnedEnvironment({ ...options, inherited })).toMatchObject(inherited)
  })
})

describe('registrySettings', () => {
  it('keeps where packages come from and drops what changes a build', () => {
    const npmrc = [
      'registry=https://npm.example/',
      '@ours:registry = https://ours.example/',
      '//ours.example/:_authToken=${TOKEN}',
      'omit=dev',
      'ignore-scripts=true',
      '; registry=commented',
      'strict-ssl=false',
      'script-shell=/bin/zsh',
    ].join('\n')
    expect(registrySettings(npmrc).trim().split('\n')).toEqual([
      'registry=https://npm.example/',
      '@ours:registry = https://ours.example/',
      '//ours.example/:_authToken=${TOKEN}',
      'strict-ssl=false',
    ])
    expect(registrySettings('')).toBe('')
  })
})
