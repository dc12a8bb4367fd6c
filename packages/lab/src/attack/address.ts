/** Where a listener is attacked. */
export interface Address {
  name: string;
  host: string;
  port: number;
}
