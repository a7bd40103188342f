// The entry: texts first, then who is asking, then the page.
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/controls.css';
import { render } from 'preact';
import { whoAmI } from './api/account.ts';
import { App } from './app.tsx';
import { startRouter } from './router.ts';
import { loadLanguage } from './text/text.ts';

startRouter();
await Promise.all([loadLanguage(), whoAmI()]);
render(<App />, document.querySelector('#app')!);
