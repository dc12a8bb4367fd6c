/** Who sends a consumer's request. */
export type Sender =
  /** A client, without a gateway: it cannot go elsewhere by itself. */
  | { via: 'client' }
  /** A gateway: it follows a 421. */
  | {
      via: 'gateway';
      /** Owners that it could not reach, as `region/bridge`. */
      failedOwners: readonly string[];
      /** Why the owner is to let the consumer go; `undefined`: it is not. */
      releaseReason: string | undefined;
      /** The mark of the answer that it handed to the client last; `undefined` where it does not say such things. */
      delivered: string | undefined;
    };
