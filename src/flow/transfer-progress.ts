import type { PublishOp } from '../repository/plan.ts'

/** How far several transfers are together. */
export class TransferProgress {
  readonly totalBytes: number
  doneBytes = 0
  readonly #done = new Map<string, number>()

  constructor(ops: readonly PublishOp[]) {
    this.totalBytes = ops.reduce((sum, op) => sum + op.sizeBytes, 0)
  }

  move(key: string, doneBytes: number): void {
    this.doneBytes += doneBytes - (this.#done.get(key) ?? 0)
    this.#done.set(key, doneBytes)
  }
}
