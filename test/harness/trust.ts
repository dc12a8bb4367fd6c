/** What test gateways and bridges trust, and how a test acts as a gateway of the same system. */

/** The secret of test gateways and bridges, by default. */
export const TEST_SECRET = 'secret-of-a-test-0123456789abcdef';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** The section `trust`: proxies and gateways are on loopback, like the tests. */
export const TEST_TRUST = { proxies: LOOPBACK, peers: LOOPBACK, secret: TEST_SECRET };

/** The header that proves a gateway of the same system. */
export const PROOF = { 'causeway-secret': TEST_SECRET };
