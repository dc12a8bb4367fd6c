/** What test gateways and bridges trust, and how a test acts as a gateway of the same system. */

/** The secret of test gateways and bridges, by default. */
export const TEST_SECRET = 'secret-of-a-test-0123456789abcdef';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** The section `trust`: proxies and gateways are on loopback, like the tests. */
export const TEST_TRUST = { proxies: LOOPBACK, peers: LOOPBACK, secret: TEST_SECRET };

/** The header that proves a gateway of the same system. */
export const PROOF = { 'causeway-secret': TEST_SECRET };

/** Headers that only proxies and gateways may send. */
export const FORGED = {
  'causeway-gateway': 'tier1',
  'causeway-operator': 'tier1',
  'causeway-failed': 'east/east, east/west',
  'causeway-release': 'drain',
  'causeway-delivered': '7',
  'causeway-suspect': '1',
  'causeway-anything': 'else',
  forwarded: 'for=6.6.6.6;host=evil.example;proto=https',
  'x-forwarded-for': '6.6.6.6',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '666',
  'x-forwarded-path': '/evil',
  'x-forwarded-prefix': '/evil',
};
