import { createHash } from 'node:crypto';
import { tailrayVersion } from '../storage/version.js';
import { type Content, type Html, html, trusted } from './html.js';
import { STYLE } from './style.js';

/** The shell of every page that tailray writes; its policy lets a browser fetch nothing and run only the scripts named. */

export interface DocumentParts {
  /** Of the browser's tab. */
  readonly title: string;
  readonly heading: string;
  readonly body: Content;
  /** Programs of our own, as JavaScript modules without imports. The policy names each by its digest, so nothing else runs. */
  readonly scripts?: readonly string[];
}

/** One self-contained HTML file. */
export function htmlDocument({ title, heading, body, scripts = [] }: DocumentParts): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy(scripts))}">
<title>${title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><h1>${heading}</h1></header>
<main id="main" tabindex="-1">
${body}
</main>
<footer class="fine">Written by tailray ${tailrayVersion}. Research software, not a medical device: never for clinical use.</footer>
${scripts.map((script) => html`<script type="module">${trusted(script)}</script>\n`)}</body>
</html>
`;
}

/** @throws RangeError for a script that would end its own element */
function policy(scripts: readonly string[]): string {
  if (scripts.some((script) => /<\/script|<!--/i.test(script))) {
    throw new RangeError('a script in a page must hold neither </script nor <!--');
  }
  const digests = scripts.map(
    (script) => ` 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  const run = digests.length === 0 ? '' : `; script-src${digests.join('')}`;
  return `default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'${run}`;
}
