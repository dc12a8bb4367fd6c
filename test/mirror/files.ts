/** Tests that start MirrorMaker. */
export const WITH_MIRROR_MAKER = [
  'packages/bridge/test/moved-consumers.test.ts',
  'packages/lab/src/stack/replication.test.ts',
  'packages/mirror/test/connect.test.ts',
  'packages/mirror/test/follow-connect.test.ts',
  'packages/mirror/test/follow.test.ts',
];
