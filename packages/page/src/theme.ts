/** Dark or light: the system's setting, until the reader chooses. */

const THEME_KEY = 'causeway-theme';

export type Theme = 'light' | 'dark';

const prefersDark = (): MediaQueryList => window.matchMedia('(prefers-color-scheme: dark)');

export function currentTheme(): Theme {
  const chosen = localStorage.getItem(THEME_KEY);
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return prefersDark().matches ? 'dark' : 'light';
}

export function applyTheme(): void {
  document.documentElement.style.colorScheme = currentTheme();
}

/** Remembered in this browser; a choice that equals the system's setting is forgotten. */
export function toggleTheme(): void {
  const next = currentTheme() === 'dark' ? 'light' : 'dark';
  if (prefersDark().matches === (next === 'dark')) localStorage.removeItem(THEME_KEY);
  else localStorage.setItem(THEME_KEY, next);
  applyTheme();
}

/** Calls `listener` when the system's setting changes. */
export function onThemeChange(listener: () => void): void {
  prefersDark().addEventListener('change', () => {
    applyTheme();
    listener();
  });
}
