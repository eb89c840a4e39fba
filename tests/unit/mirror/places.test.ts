import { describe, expect, it } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import type { Mirror } from '../../../src/mirror/mirror.ts'
import { type PlacedLocation, Places } from '../../../src/mirror/places.ts'
import { RateLimit } from '../../../src/sys/rate-limit.ts'
import { MemoryPlace } from '../../support/memory-place.ts'
import { manifestOf, wantedOf } from '../../support/wanted.ts'

const bytes = Buffer.alloc(200_000, 'a')
const wanted = wantedOf(manifestOf(bytes))

/** A mirror that has something by these names. */
function mirrorOf(name: string, ...names: readonly string[]): Mirror {
  const place = new MemoryPlace(bytes)
  return { name, locate: () => names.map(each => ({ name: each, isLocal: false, open: place.open })) }
}

function placesOf(...mirrors: readonly [...Mirror[], Mirror]) {
  const told: string[] = []
  const places = new Places({ mirrors, onFailure: (place, { code }) => told.push(`${place} ${code}`) })
  return { places, told }
}

/** Fail as a list says, by the name of the location. */
const failing =
  (failures: Readonly<Record<string, ReleaseError>>, asked: string[]) => async (location: PlacedLocation) => {
    asked.push(location.name)
    const failure = failures[location.name]
    if (failure !== undefined) throw failure
    return location.name
  }

const missing = new ReleaseError('SEGMENT_MISSING', 'not there')
const lie = new ReleaseError('SEGMENT_DIGEST', 'other bytes')
const cut = new ReleaseError('HTTP_FAILED', 'cut', { details: { errno: 'ECONNRESET' } })
const refused = new ReleaseError('HTTP_FAILED', 'refused', { details: { status: 403 } })

describe('places', () => {
  it('are asked in their order, all names of one before the next', async () => {
    const { places, told } = placesOf(mirrorOf('a', 'a1', 'a2'), mirrorOf('b', 'b1'), mirrorOf('c', 'c1'))
    const asked: string[] = []
    const act = failing({ a1: missing, a2: refused, b1: missing }, asked)
    expect(await places.first(wanted, act, undefined)).toBe('c1')
    expect(asked).toEqual(['a1', 'a2', 'b1', 'c1'])
    expect(told).toEqual(['a2 HTTP_FAILED', 'b1 SEGMENT_MISSING'])
    expect(places.locate([wanted, wanted]).map(({ name }) => name)).toEqual([
      'a1',
      'a2',
      'a1',
      'a2',
      'b1',
      'b1',
      'c1',
      'c1',
    ])
  })

  it.each([
    ['sent other bytes', lie],
    ['could not be reached', cut],
    ['sent too slowly', new ReleaseError('HTTP_SLOW', 'slow')],
  ])('are not asked again when they %s, not even by another name', async (_, failure) => {
    const { places, told } = placesOf(mirrorOf('a', 'a1', 'a2'), mirrorOf('b', 'b1'))
    const asked: string[] = []
    const act = failing({ a1: failure }, asked)
    expect(await places.first(wanted, act, undefined)).toBe('b1')
    expect(await places.first(wanted, act, undefined)).toBe('b1')
    expect(asked).toEqual(['a1', 'b1', 'b1'])
    expect(told).toEqual([`a1 ${failure.code}`])
  })

  it('are asked again when there is only one left, for there is no other', async () => {
    const { places, told } = placesOf(mirrorOf('a', 'a1'))
    const asked: string[] = []
    await expect(places.first(wanted, failing({ a1: lie }, asked), undefined)).rejects.toBe(lie)
    expect(await places.first(wanted, failing({}, asked), undefined)).toBe('a1')
    expect(told).toEqual([])
  })

  it('are not blamed for a full disk, a wish to stop or a defect', async () => {
    const { places } = placesOf(mirrorOf('a', 'a1'), mirrorOf('b', 'b1'))
    const full = new ReleaseError('FILE_NO_SPACE', 'full')
    await expect(places.first(wanted, failing({ a1: full }, []), undefined)).rejects.toBe(full)
    const stopped = AbortSignal.abort(new Error('enough'))
    await expect(places.first(wanted, failing({ a1: cut }, []), stopped)).rejects.toBe(cut)
    const defect = async () => {
      throw new TypeError('defect')
    }
    await expect(places.first(wanted, defect, undefined)).rejects.toThrow(TypeError)
  })

  it('that have no such thing are told as that', async () => {
    const { places } = placesOf(mirrorOf('a'))
    await expect(places.first(wanted, failing({}, []), undefined)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
  })

  it('count all that comes, and share the bandwidth', async () => {
    let waitedMs = 0
    const wait = async (durationMs: number) => {
      waitedMs += durationMs
    }
    const bandwidth = new RateLimit(100_000, { clock: { elapsedMs: () => 0 }, wait })
    const places = new Places({ mirrors: [mirrorOf('a', 'a1')], bandwidth })
    const [location] = places.locate([wanted])
    const opened = await location!.open({})
    expect(Buffer.concat(await Array.fromAsync(opened!.body))).toEqual(bytes)
    expect(places.fetchedBytes).toBe(bytes.byteLength)
    expect(waitedMs).toBeGreaterThan(1000)
  })
})
