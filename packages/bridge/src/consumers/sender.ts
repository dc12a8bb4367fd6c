/** The sender of a consumer's request. */
export type Sender =
  /** A client without a gateway: it does not follow a 421. */
  | { via: 'client' }
  /** A gateway: it follows a 421. */
  | {
      via: 'gateway';
      /** Owners that it could not reach, as `region/bridge`. */
      failedOwners: readonly string[];
      /** Why the owner is to release the session; `undefined`: it is not. */
      releaseReason: string | undefined;
      /** The mark of the last response that the client has; `undefined` where the gateway does not confirm deliveries. */
      delivered: string | undefined;
    };
