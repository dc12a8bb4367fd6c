/** Components that render again only when their properties change. */
import { Component, type ComponentChild, type FunctionComponent, h } from 'preact';

/** Keeps the last rendering of the component while each of its properties is the same value. */
export function memo<Props extends object>(view: FunctionComponent<Props>): new (props: Props) => Component<Props> {
  return class extends Component<Props> {
    override shouldComponentUpdate(props: Readonly<Props>): boolean {
      const names = Object.keys(props) as (keyof Props)[];
      return names.some((name) => props[name] !== this.props[name]);
    }

    override render(): ComponentChild {
      return h(view as FunctionComponent<object>, this.props);
    }
  };
}
