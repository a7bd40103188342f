// The entry: texts, who is asking and the page's code are fetched at the same time; then it is drawn.
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/controls.css';
import { render } from 'preact';
import { whoAmI } from './api/account.ts';
import { App } from './app.tsx';
import { pageAt } from './pages.tsx';
import { startRouter } from './router.ts';
import { loadLanguage } from './text/text.ts';

startRouter();
// Not awaited here: the pages' files wait for this one, and some are waited for below.
void Promise.all([
  // Without its texts the page speaks English.
  loadLanguage().catch(() => undefined),
  whoAmI(),
  // The page itself comes meanwhile; if it does not, the frame says so.
  pageAt(location.pathname)
    ?.load()
    .catch(() => undefined),
]).then(() => render(<App />, document.querySelector('#app')!));
