import description from '../../package.json' with { type: 'json' }

/** The version of Cutover itself: that of its package.json, bundled into the executables. */
export const toolVersion: string = description.version
