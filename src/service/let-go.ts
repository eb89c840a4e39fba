/** What became of a service that was let go of: another process has it now, or it is ours as before. */
export type LetGoEnd = 'taken' | 'kept'

/** Whether a service is ours: while another process is to adopt it, whoever watches it waits for what comes of that. */
export class LetGo {
  #end: Promise<LetGoEnd> | undefined

  /** Begin to let go. Post: the result is to be called once. */
  begin(): (end: LetGoEnd) => void {
    const { promise, resolve } = Promise.withResolvers<LetGoEnd>()
    this.#end = promise
    return resolve
  }

  /** Wait until it is known whose it is. Post: true when it is not ours any more. */
  async isTaken(): Promise<boolean> {
    return (await this.#end) === 'taken'
  }
}
