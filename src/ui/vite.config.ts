// How the pages become files: `npm run build:ui` writes them to dist/ui, which the daemon serves and the
// package ships. Nothing is inlined, since the pages' content security policy allows neither inline
// scripts nor inline styles nor data addresses.
import { defineConfig } from 'vite';

/** What every page needs, as one file: small ones compress badly, and each is a request. */
const SHARED =
  /\/(preact|signals|signals-core)\/|\/src\/ui\/([\w-]+\.tsx?|api\/(?!events)|text\/(text|en)\.ts|parts\/(ago|countdown|dialog|field|form|icon|notice|now|page|scroll|session-labels|state-mark)\.tsx?)/;

export default defineConfig({
  root: import.meta.dirname,
  publicDir: 'public',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/ui',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'shared', test: SHARED }] } } },
  },
});
