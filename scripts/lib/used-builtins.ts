import type { Plugin } from 'esbuild'

/** Packages are left as they are, but for the one that every command begins with: some take a module as one object. */
const isLeft = (importer: string) => /\/node_modules\/(?!commander\/)/.test(importer)

/**
 * Take of what Node brings only what is used.
 *
 * To import one of Node's modules reads all of its properties, and some of those load more of Node than a whole command needs: of `node:fs`,
 * `node:process` and `node:util` that takes longer than to load all of our own that a command begins with.
 */
export const usedBuiltins: Plugin = {
  name: 'used builtins',
  setup: ({ onResolve, onLoad }) => {
    const namespace = 'builtin'
    onResolve({ filter: /^node:/ }, ({ path, kind, importer }) =>
      kind === 'import-statement' && !isLeft(importer) ? { path, namespace } : undefined,
    )
    onLoad({ filter: /^/, namespace }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter(name => name !== 'default')
      const lines = [
        `const builtin = process.getBuiltinModule(${JSON.stringify(path)})`,
        'const take = name => builtin[name]',
        'export default builtin',
        // Marked so that the bundle has only those that somebody imports.
        ...names.map(name => `export const ${name} = /* @__PURE__ */ take(${JSON.stringify(name)})`),
      ]
      return { contents: lines.join('\n') }
    })
  },
}
