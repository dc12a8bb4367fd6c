/** Node's options for a bridge: in `npm run bridge`, in the image, in the lab and in the benchmark. */

/**
 * The young generation of the heap. Objects of a request live for milliseconds, so half of Node's default is enough:
 * 60 to 80 MiB less are resident under load, for the same processor time.
 */
export const BRIDGE_NODE_OPTIONS = ['--max-semi-space-size=8'] as const;
