/** Whom the gateways and bridges of tests believe, and how a test poses as a gateway of theirs. */

/** Of every gateway and bridge that a test starts, unless it says otherwise. */
export const TEST_SECRET = 'secret-of-a-test-0123456789abcdef';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** The section `trust`: proxies and gateways are on loopback, as the tests are. */
export const TEST_TRUST = { proxies: LOOPBACK, peers: LOOPBACK, secret: TEST_SECRET };

/** What a gateway of the system shows besides its other headers. */
export const PROOF = { 'causeway-secret': TEST_SECRET };
