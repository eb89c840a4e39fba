import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { openS3 } from '../../src/repository/targets/s3.ts'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import { leaseContract } from '../support/lease-contract.ts'
import { failure } from '../support/s3-front.ts'
import { s3Server } from '../support/s3-server.ts'
import { contentOf, readAll, targetContract } from '../support/target-contract.ts'
import { testedLeaseTimes, testedTools } from '../support/target-tools.ts'

const environment = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 's3cret' }
const mebibyte = 1024 * 1024

const placeOf = (url: string, bucket = 'releases') =>
  new URL(`s3://${bucket}/vendor/repository?endpoint=${url}&path-style=1`)

function open(url: string, bucket?: string, leaseTimes = testedLeaseTimes) {
  return openS3(placeOf(url, bucket), { environment, tools: testedTools, leaseTimes })
}

targetContract('S3', async () => {
  const { url } = await s3Server()
  return { open: () => open(url), largeBytes: 9_000_000 }
})

const startLease = async () => {
  const { url } = await s3Server()
  const { href } = placeOf(url)
  return { place: href, environment, open: (times: typeof testedLeaseTimes) => open(url, 'releases', times) }
}
leaseContract('S3', startLease, { isKernels: false })

describe('an object store', () => {
  it('is asked for the sums that it keeps, not for the bytes', async () => {
    const { url, requests } = await s3Server()
    const bytes = randomBytes(9 * mebibyte)
    await open(url).putNew('small', contentOf('x'))
    await open(url).putNew('large', contentOf(bytes))
    requests.length = 0
    expect(await open(url).head('small')).toEqual({ sizeBytes: 1, digest: digestOf('x') })
    expect(await open(url).putNew('small', contentOf('x'))).toBe('unchanged')
    expect(await open(url).putNew('large', contentOf(bytes))).toBe('unchanged')
    expect(requests).toEqual(
      ['HEAD', 'HEAD', 'HEAD'].map((verb, n) => `${verb} vendor/repository/${n < 2 ? 'small' : 'large'}`),
    )
  })

  it('copies what it has under another name', async () => {
    const { url, requests } = await s3Server()
    const target = open(url)
    const bytes = randomBytes(100_000)
    await target.putNew('a/one+1', contentOf(bytes))
    requests.length = 0
    expect(await target.putNew('b', contentOf(bytes, { sameAs: 'a/one+1', open: neverRead }))).toBe('linked')
    expect(await target.head('b')).toEqual({ sizeBytes: 100_000, digest: digestOf(bytes) })
    expect(requests.some(line => line.startsWith('GET'))).toBe(false)
  })

  it('is told for how long each object may be kept', async () => {
    const { url, front } = await s3Server()
    const target = open(url)
    await target.putNew('blob', contentOf('x'))
    await target.putNew('large', contentOf(randomBytes(9 * mebibyte)))
    await target.replace('pointer', contentOf('x'), undefined)
    const kept = ['blob', 'large', 'pointer'].map(key => front.cacheControlOf(`/releases/vendor/repository/${key}`))
    const immutable = 'public, max-age=31536000, immutable'
    expect(kept).toEqual([immutable, immutable, 'no-cache'])
  })

  it('is sent only the parts that a killed upload had not sent', async () => {
    const { url, requests, failNext, front } = await s3Server()
    const bytes = randomBytes(25 * mebibyte)
    failNext(/partNumber=4/, [failure(403, 'AccessDenied')])
    await expect(open(url).putNew('large', contentOf(bytes))).rejects.toMatchObject({ code: 'TARGET_REFUSED' })
    expect(await open(url).head('large')).toBeUndefined()
    expect(front.uploads.size).toBe(1)
    const sent = [...front.uploads.values()].flatMap(({ parts }) => [...parts.keys()])
    requests.length = 0
    expect(await open(url).putNew('large', contentOf(bytes))).toBe('written')
    const parts = requests.flatMap(line => /partNumber=(\d)/.exec(line)?.[1] ?? []).map(Number)
    expect(parts.toSorted()).toEqual([1, 2, 3, 4].filter(number => !sent.includes(number)))
    expect(sent.length).toBeGreaterThan(0)
    expect(digestOf(await readAll(open(url), 'large'))).toBe(digestOf(bytes))
    expect(front.uploads.size).toBe(0)
  })

  it('is sent the parts of other bytes anew', async () => {
    const { url, failNext } = await s3Server()
    const bytes = randomBytes(17 * mebibyte)
    failNext(/partNumber=3/, [failure(403, 'AccessDenied')])
    await expect(open(url).putNew('large', contentOf(randomBytes(17 * mebibyte)))).rejects.toMatchObject({
      code: 'TARGET_REFUSED',
    })
    expect(await open(url).putNew('large', contentOf(bytes))).toBe('written')
    expect(await open(url).head('large')).toEqual({ sizeBytes: bytes.byteLength, digest: digestOf(bytes) })
  })

  it('is asked again when it is busy or a connection is cut', async () => {
    const { url, failNext } = await s3Server()
    const proxy = await cuttingProxy(Number(new URL(url).port))
    const target = open(`http://127.0.0.1:${proxy.port}`)
    failNext(/^PUT/, [failure(503, 'SlowDown'), failure(500, 'InternalError')])
    expect(await target.putNew('a', contentOf('x'))).toBe('written')
    const bytes = randomBytes(2_000_000)
    proxy.cutNext([{ direction: 'up', afterBytes: 1_000_000 }])
    expect(await target.putNew('b', contentOf(bytes))).toBe('written')
    proxy.cutNext([{ direction: 'down', afterBytes: 1_000_000 }])
    expect(digestOf(await readAll(target, 'b'))).toBe(digestOf(bytes))
    expect(proxy.cuts()).toBe(2)
  })

  it('does not lend itself when it knows no conditional writes', async () => {
    const { emulatorUrl } = await s3Server()
    const target = open(emulatorUrl)
    // Everything else works, if slower: what it keeps no sums of is read.
    expect(await target.putNew('a', contentOf('x'))).toBe('written')
    expect(await target.head('a')).toEqual({ sizeBytes: 1, digest: digestOf('x') })
    await expect(target.putNew('a', contentOf('y'))).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
    await expect(target.lease('a test', { waitMs: 0 })).rejects.toMatchObject({ code: 'TARGET_REFUSED' })
  })

  it('that is not there is not taken for an empty one', async () => {
    const { url } = await s3Server()
    const target = open(url, 'missing')
    await expect(target.get('a', 1)).rejects.toMatchObject({
      code: 'TARGET_REFUSED',
      details: { reason: 'NoSuchBucket' },
    })
    await expect(target.putNew('a', contentOf('x'))).rejects.toMatchObject({ code: 'TARGET_REFUSED' })
  })
})

async function* neverRead(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('what must not be sent')
}
