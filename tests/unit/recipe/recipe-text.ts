/** The shortest recipe that is complete; tests add to it. */
export const minimalRecipe = `schema: 1
name: notes
summary: Notes over HTTP
licence: Apache-2.0
maintainer: Ada Example <ada@example.org>
payload:
  root: opt/notes
  entries:
    - from: src
`
