// Builds dist/: stylesheets, script, icons and fonts under names that hold their hash.
//
// Everything is made anew on each run from node_modules, src/ and the templates, so that two
// runs give the same files. Nothing is fetched.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { transform } from 'lightningcss';
import { PurgeCSS } from 'purgecss';
import subsetFont from 'subset-font';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const modules = join(here, 'node_modules');
const version = (major) => major << 16;
// Tabler uses light-dark() and relative colours; older targets would lower them wrongly.
const targets = { chrome: version(123), firefox: version(128), safari: (17 << 16) | (5 << 8) };

const manifest = { files: {}, inline_sha256: {} };
const sizes = [];

/** Writes a file under its hashed name, compressed beside it where that helps. */
async function put(name, body) {
  const bytes = Buffer.from(body);
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const dot = name.lastIndexOf('.');
  const file = `${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
  await writeFile(join(dist, file), bytes);
  let squeezed = bytes.length;
  if (!name.endsWith('.woff2')) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    const br = brotliCompressSync(bytes, { params });
    await writeFile(join(dist, `${file}.br`), br);
    await writeFile(join(dist, `${file}.gz`), gzipSync(bytes, { level: 9 }));
    squeezed = br.length;
  }
  manifest.files[name] = file;
  sizes.push([name, bytes.length, squeezed]);
  return file;
}

async function sources(folder, ends) {
  const entries = await readdir(join(here, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(ends));
  return Promise.all(
    files.map(async (entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      return { path, text: await readFile(path, 'utf8') };
    }),
  ).then((all) => all.sort((a, b) => (a.path < b.path ? -1 : 1)));
}

const characters = (...ranges) =>
  ranges.flatMap(([from, to = from]) => Array.from({ length: to - from + 1 }, (_, i) => String.fromCodePoint(from + i))).join('');

/** Vazirmatn, Persian and Latin apart, weights 400 to 700. */
async function fonts() {
  const font = await readFile(join(modules, 'vazirmatn/fonts/variable/Vazirmatn[wght].ttf'));
  const scripts = {
    persian: [
      [0x60c], [0x61b], [0x61f], [0x621, 0x624], [0x626, 0x63a], [0x640, 0x656], [0x660, 0x66c], [0x670],
      [0x67e], [0x686], [0x698], [0x6a9], [0x6af], [0x6c0], [0x6cc], [0x6d5], [0x6f0, 0x6f9], [0x200b, 0x200f],
    ],
    latin: [[0x20, 0x7e], [0xa0], [0xab], [0xb7], [0xbb], [0xd7], [0x2013, 0x2014], [0x2018, 0x201e], [0x2022], [0x2026], [0x2212]],
  };
  const faces = [];
  for (const [script, ranges] of Object.entries(scripts)) {
    const variationAxes = { wght: { min: 400, max: 700 } };
    const woff2 = await subsetFont(font, characters(...ranges), { targetFormat: 'woff2', variationAxes });
    const file = await put(`vazirmatn-${script}.woff2`, woff2);
    const hex = (code) => code.toString(16);
    const range = ranges.map(([from, to]) => `U+${hex(from)}${to ? `-${hex(to)}` : ''}`).join(',');
    faces.push(`@font-face{font-family:Vazirmatn;src:url("/static/${file}") format("woff2");font-weight:400 700;font-display:swap;unicode-range:${range}}`);
  }
  await put('OFL.txt', await readFile(join(modules, 'vazirmatn/OFL.txt')));
  return faces.join('\n');
}

/** One sprite with the icons that templates and pages name, and our own mark. */
async function icons(templates, rust) {
  const names = new Set();
  const literals = (text) => [...text.matchAll(/"([a-z0-9-]+)"/g)].map((match) => match[1]);
  for (const { text } of [...templates, ...rust]) {
    for (const match of text.matchAll(/\b(?:icon|arrow)\("([a-z0-9-]+)"/g)) names.add(match[1]);
    for (const match of text.matchAll(/fn icon\(&?self\)[^{]*\{[\s\S]*?\n {4}\}/g)) literals(match[0]).forEach((name) => names.add(name));
    for (const match of text.matchAll(/^.*\bicon(?::| =).*$/gm)) literals(match[0]).filter((name) => !/^(tone|trend)-(?!ing)/.test(name)).forEach((name) => names.add(name));
  }
  for (const match of (await readFile(join(here, 'src/app.js'), 'utf8')).matchAll(/icon\('([a-z0-9-]+)'/g)) names.add(match[1]);
  names.delete('brand');
  names.delete('icon');
  const symbols = [];
  for (const name of [...names].sort()) {
    const svg = await readFile(join(modules, `@tabler/icons/icons/outline/${name}.svg`), 'utf8');
    const inner = svg.slice(svg.indexOf('>') + 1, svg.lastIndexOf('</svg>')).replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none" ?\/>/, '');
    symbols.push(`<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s+/g, ' ').trim()}</symbol>`);
  }
  const mark = await readFile(join(here, 'src/mark.svg'), 'utf8');
  const inner = mark.slice(mark.indexOf('>') + 1, mark.lastIndexOf('</svg>')).trim();
  symbols.push(`<symbol id="brand" viewBox="0 0 24 24">${inner}</symbol>`);
  await put('icons.svg', `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join('')}</svg>`);
  await put('favicon.svg', mark.replace('<svg ', '<svg fill="none" stroke="#0e7c7b" stroke-width="1.8" stroke-linejoin="round" '));
  return names.size;
}

/** Adds what `data-bs-theme=dark` says for `auto` on a device that asks for dark. */
function followDevice(css) {
  let out = '';
  let at = 0;
  // Rules at the top level whose selector starts from the dark theme.
  for (const match of css.matchAll(/(^|[}])((?:[^{}@;]*\[data-bs-theme=dark\][^{}]*))\{([^{}]*)\}/g)) {
    const end = match.index + match[0].length;
    const auto = match[2]
      .split(',')
      .filter((selector) => /^(:root)?\[data-bs-theme=dark\]/.test(selector.trim()))
      .map((selector) => selector.trim().replace('[data-bs-theme=dark]', '[data-bs-theme=auto]'));
    out += css.slice(at, end);
    at = end;
    if (auto.length) out += `@media (prefers-color-scheme:dark){${auto.join(',')}{${match[3]}}}`;
  }
  return out + css.slice(at);
}

const safelist = { standard: [/^htmx-/, /^hue-/, /^album-/], greedy: [/data-bs-theme/] };

async function stylesheet(name, direction, own, content) {
  const tabler = await readFile(join(modules, `@tabler/core/dist/css/tabler${direction === 'rtl' ? '.rtl' : ''}.css`), 'utf8');
  // Tabler and ours are purged together, else variables that only ours uses would go.
  const [{ css }] = await new PurgeCSS().purge({
    content: content.map(({ text, path }) => ({ raw: text, extension: path.split('.').pop() })),
    css: [{ raw: `${tabler.replace(/^@charset[^;]*;/, '')}\n${own}` }],
    safelist,
    variables: true,
    keyframes: true,
    fontFace: false,
    defaultExtractor: (text) => text.match(/[A-Za-z0-9_-]+/g) ?? [],
  });
  const minified = (code) => transform({ filename: `${name}.css`, code: Buffer.from(code), minify: true, targets }).code.toString();
  const small = minified(followDevice(minified(css)));
  await put(`${name}-${direction}.css`, small);
  return small;
}

async function script() {
  const result = await esbuild.build({
    entryPoints: [join(here, 'src/app.js')],
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['chrome123', 'firefox128', 'safari17.5'],
    legalComments: 'none',
    write: false,
    logLevel: 'warning',
  });
  await put('app.js', result.outputFiles[0].contents);
}

const started = performance.now();
await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });

const templates = await sources('templates', '.html');
const rust = (await sources('src', '.rs')).filter(({ path }) => !path.includes('samples'));
const scripts = await sources('src', '.js');
const faces = await fonts();
const iconCount = await icons(templates, rust);
// In the order in which they stand in the stylesheet.
const parts = ['base', 'frame', 'home', 'inbox', 'audit', 'entry', 'devices'];
const ours = await Promise.all(parts.map((part) => readFile(join(here, `src/styles/${part}.css`), 'utf8')));
const own = [faces, ...ours].join('\n');
const entry = templates.filter(({ path, text }) => /(base|entry|macros|passkey_form|preferences|impersonation|error)\.html$/.test(path) || text.startsWith('{% extends "entry.html" %}'));
const forEntry = [...entry, ...scripts, ...rust.filter(({ path }) => path.endsWith('shell.rs'))];
for (const direction of ['rtl', 'ltr']) {
  await stylesheet('app', direction, own, [...templates, ...rust, ...scripts]);
  const inline = await stylesheet('entry', direction, own, forEntry);
  manifest.inline_sha256[`entry-${direction}.css`] = createHash('sha256').update(inline).digest('base64');
}
await script();
manifest.files = Object.fromEntries(Object.entries(manifest.files).sort());
await writeFile(join(dist, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);

for (const [name, raw, squeezed] of sizes) console.log(`${name.padEnd(24)} ${String(raw).padStart(8)} B ${String(squeezed).padStart(8)} B br`);
console.log(`${iconCount} icons; built in ${((performance.now() - started) / 1000).toFixed(1)} s`);

const budgets = { 'app.js': 20_480, 'vazirmatn-persian.woff2': 30_720, 'vazirmatn-latin.woff2': 30_720, 'app-rtl.css': 25_600, 'app-ltr.css': 25_600 };
const over = sizes.filter(([name, , squeezed]) => squeezed > (budgets[name] ?? Infinity));
if (over.length) {
  console.error(`over budget: ${over.map(([name, , squeezed]) => `${name} has ${squeezed} B, may have ${budgets[name]} B`).join('; ')}`);
  process.exit(1);
}
