import type { Who } from './workload.js';

/** What the benchmark's pictures share. They are files of their own, so each brings its style. */

export const CHART = { width: 860 };

const COLOURS: Readonly<Record<Who, string>> = {
  tailray: '#1f5fa8',
  'tailray-f16': '#123a66',
  'tailray-unfused': '#62a8d8',
  'tfjs-webgpu': '#d9822b',
  'jax-js': '#7a4fb5',
  'onnxruntime-cpu': '#3c8d5a',
  'pytorch-cpu': '#b03a48',
  'pytorch-cuda': '#6e1423',
};

export function colourOf(who: Who): string {
  return COLOURS[who];
}

/** @param title its heading, which is told to screen readers, too */
export function chart(height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${CHART.width} ${height}" width="${CHART.width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<title>${escaped(title)}</title>
<style>text{fill:#222}.title{font-size:16px;font-weight:600}.muted{fill:#666}.label{text-anchor:end}.middle{text-anchor:middle;fill:#666}</style>
<rect width="100%" height="100%" fill="#fff"/>
${[text(16, 24, title, 'title'), ...parts].join('\n')}
</svg>
`;
}

export function text(x: number, y: number, words: string, style = ''): string {
  return `<text x="${x}" y="${y}"${style && ` class="${style}"`}>${escaped(words)}</text>`;
}

/** A vertical line of the grid with its number below. */
export function axis(x: number, top: number, bottom: number, label: string, strong = false): string {
  return `<line x1="${x}" x2="${x}" y1="${top}" y2="${bottom}" stroke="${strong ? '#888' : '#e4e4e4'}"/>${text(x, bottom + 16, label, 'middle')}`;
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
