/**
 * What repositories, applications and their parts can be called: it goes into commands, paths, packages and pages.
 *
 * `constructor` is a member that every object has: in lists by name nobody could tell it from one that is not there.
 */
export const namePattern = /^(?!constructor$)[a-z0-9][a-z0-9+.-]{1,62}$/
