/** The page of an application, relative to the repository. */
export const applicationPage = (application: string): string => `pages/${application}/index.html`

/** The page of a release, relative to the repository. */
export const releasePage = (application: string, version: string): string =>
  `pages/${application}/${version}/index.html`

/** The file that an apt client adds to its sources for a channel: all that the repository has there, or what one application has. */
export const sourcesKey = (channel: string, application?: string): string =>
  application === undefined ? `apt/${channel}.sources` : `apt/${application}/${channel}.sources`
