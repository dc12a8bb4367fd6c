/** What a dialog says. */
export interface ChangeText {
  title: string;
  /** On the button. */
  submit: string;
  effect: string;
  /** Emphasized; may be empty. */
  warning: string;
}
