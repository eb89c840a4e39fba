/** Call on each of some signals, instead of what they do by themselves, until it is disposed. */
export function onSignals(signals: readonly NodeJS.Signals[], call: (signal: NodeJS.Signals) => void): Disposable {
  for (const signal of signals) process.on(signal, call)
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, call)
    },
  }
}
