import { tailrayVersion } from '../storage/version.js';
import { type Content, type Html, html, trusted } from './html.js';
import { STYLE } from './style.js';

/** The shell of every page that tailray writes; its policy lets a browser fetch nothing and run nothing. */

export interface DocumentParts {
  /** Of the browser's tab. */
  readonly title: string;
  readonly heading: string;
  readonly body: Content;
}

/** One self-contained HTML file. */
export function htmlDocument({ title, heading, body }: DocumentParts): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<h1>${heading}</h1>
${body}
<footer class="fine">Written by tailray ${tailrayVersion}. Research software, not a medical device: never for clinical use.</footer>
</body>
</html>
`;
}
