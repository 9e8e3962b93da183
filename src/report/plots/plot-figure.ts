import { type Content, type Html, html } from '../html.js';

/** A plot with its caption and, folded away, the numbers that it draws: for those who can't see it, and who want to copy them. */

export interface NumberColumn {
  readonly title: Content;
  /** Words instead of numbers. */
  readonly words?: boolean;
}

export interface Numbers {
  /** The first one names the rows. */
  readonly columns: readonly NumberColumn[];
  readonly rows: readonly (readonly Content[])[];
}

export interface PlotFigure {
  readonly caption: string;
  /** For those who hear the page, where the caption alone does not tell it from others; the caption when absent. */
  readonly name?: string;
  readonly plot: Content;
  readonly numbers: Numbers;
}

export function plotFigure({ caption, name = caption, plot, numbers }: PlotFigure): Html {
  return html`<figure class="plot"><figcaption>${caption}</figcaption>${plot}
<details class="numbers"><summary>Numbers<span class="unseen">: ${name}</span></summary>${numbersTable(numbers, name)}</details></figure>`;
}

/** A table that scrolls sideways where it must, by keyboard, too. */
export function numbersTable({ columns, rows }: Numbers, name: string): Html {
  const style = (column: number) => columns[column]?.words !== true && column > 0 && 'n';
  return scrolling(
    name,
    html`<table><thead><tr>${columns.map(({ title }, c) => html`<th scope="col" class="${style(c)}">${title}</th>`)}</tr></thead>
<tbody>${rows.map(
      ([first, ...rest]) =>
        html`<tr><th scope="row">${first}</th>${rest.map((cell, c) => html`<td class="${style(c + 1)}">${cell}</td>`)}</tr>`,
    )}</tbody></table>`,
  );
}

/** Content that may be wider than the page. @param name for a screen reader */
export function scrolling(name: string, content: Content): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${name}">${content}</div>`;
}
