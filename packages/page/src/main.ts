/** Starts the page. */
import { h, render } from 'preact';
import { AppView } from './app-view.ts';
import { Store } from './store.ts';
import { applyTheme } from './theme.ts';

const root = document.getElementById('root');
if (root === null) throw new Error('The page has no root.');
applyTheme();
const store: Store = new Store((state) => render(h(AppView, { state, store }), root));
store.start();
