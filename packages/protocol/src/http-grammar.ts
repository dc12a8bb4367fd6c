/** What HTTP's own grammar allows (RFC 9110). */

/** A token: methods, names of headers and of parameters (§5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
