import { answerOrders } from '../sys/thread-pool.ts'
import { decompressSegmentSync } from './decode.ts'
import type { LocalFile } from './local-file.ts'
import type { PayloadFile } from './payload-file.ts'
import { bufferOf, placeAll, type SegmentContent, SegmentFiles, type TreeSettings } from './tree-writer.ts'

/**
 * What a thread is told: what all that follows depends on; files that are put in their places; the files of a segment; that no more of them come.
 * Lists are JSON, which costs less than a clone.
 */
export type TreeOrder =
  | { readonly kind: 'settings'; readonly settings: TreeSettings }
  | { readonly kind: 'place'; readonly json: string }
  | (Omit<SegmentContent, 'files'> & { readonly kind: 'segment'; readonly json: string })
  | { readonly kind: 'close' }

/** The paths of files that could not be put in their places; none as the answer to other orders. */
export type TreeAnswer = readonly string[]

let settings: TreeSettings
let files: SegmentFiles

answerOrders((order: TreeOrder): TreeAnswer => {
  switch (order.kind) {
    case 'settings':
      settings = order.settings
      files = new SegmentFiles(settings)
      return []
    case 'place':
      return placeAll(JSON.parse(order.json) as LocalFile[], settings)
    case 'segment': {
      const { segment, form, bytes } = order
      const tar = form === 'tar' ? bufferOf(bytes) : decompressSegmentSync(settings.codec, bytes, segment)
      files.write({ segment, files: JSON.parse(order.json) as PayloadFile[] }, tar)
      return []
    }
    case 'close':
      files.close()
      return []
  }
})
