// Bundles src/ into ../dist: one script and one style sheet, which the report inlines. The result depends on the sources
// and the pinned esbuild alone.
import { build } from 'esbuild';

await build({
  entryPoints: { app: 'src/main.ts' },
  outdir: '../dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome113', 'firefox113', 'safari16.4'],
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
});
await build({
  entryPoints: { app: 'src/style.css' },
  outdir: '../dist',
  bundle: true,
  minify: true,
  target: ['chrome113', 'firefox113', 'safari16.4'],
  charset: 'utf8',
  logLevel: 'warning',
});
