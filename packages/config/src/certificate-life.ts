/** How much of its life a certificate has left. */

/** Renewals come at two thirds of a certificate's life, as cert-manager does, whether that is a day or a year. */
const SOON_RATIO = 0.1;

/** Whether less than a tenth of a certificate's life is left: its renewal failed, or does not exist. Pure. */
export function isExpiringSoon(life: { notBeforeMs: number; notAfterMs: number }, nowMs: number): boolean {
  return life.notAfterMs - nowMs < (life.notAfterMs - life.notBeforeMs) * SOON_RATIO;
}
