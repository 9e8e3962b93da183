import { basename } from 'node:path';
import { describeLoss, describeModel } from '../../report/describe-run.js';
import { type Content, type Html, html } from '../../report/html.js';
import { formatByteSize } from '../../text/byte-size.js';
import { formatSeconds } from '../../text/duration.js';
import { count, counted, decimals, NOTHING, percent } from '../../text/numbers.js';
import type { EpochLine } from '../../train/run/metrics-line.js';
import { stageTitle } from '../../train/run/stage-plan.js';
import type { OnDevice, RunState } from '../run-state.js';

/** Where the run stands, and its numbers of now. */
export function headline(state: RunState): Html {
  const { onDevice } = state;
  return html`${onDevice?.stage.data.simulated && SIMULATED}
<h2>${basename(state.path)}</h2>
<p class="lead">${sentence(state)}</p>
${
  onDevice && [
    html`<progress max="${onDevice.stage.run.steps}" value="${state.step}" aria-label="Steps done"></progress>`,
    tiles(state, onDevice),
    html`<p class="fine">${about(onDevice)}</p>`,
  ]
}`;
}

/** Of the browser's tab. */
export function tabTitle(state: RunState): string {
  const { phase, onDevice } = state;
  const name = basename(state.path);
  if (!state.goesOn) return `${phase} · ${name}`;
  return `${share(state, onDevice)} · ${name}`;
}

const SIMULATED = html`<div class="banner" role="note"><b>SIMULATED DATA</b> The images and their labels were drawn by a computer program. These scores say nothing about patients. Research software, never for clinical use.</div>`;

function sentence(state: RunState): string {
  const { phase, doing, onDevice, epoch, step } = state;
  if (state.end !== null) return state.end;
  const progress =
    doing === null ? '' : `: ${doing.title}, ${count(doing.done)} of ${counted(doing.total, 'image')}`;
  if (onDevice === null) return `Preparing${progress}.`;
  const { stage } = onDevice;
  const where = `${stage.run.stages > 1 ? `${stageTitle(stage)} of ${stage.run.stages}, ` : ''}epoch ${epoch} of ${stage.run.epochs}`;
  if (phase === 'scoring') return `Training is over${progress}.`;
  if (phase === 'validating') return `Validating after ${where}${progress}.`;
  return `Training: ${where}, step ${count(step)} of ${count(stage.run.steps)}.`;
}

function share({ step }: RunState, onDevice: OnDevice | null): string {
  return onDevice === null ? NOTHING : percent(step / onDevice.stage.run.steps, 0);
}

function tiles(state: RunState, onDevice: OnDevice): Html {
  const { step, epoch, loss, meter, lines } = state;
  const { stage, peakBytes, bytes } = onDevice;
  const { steps, epochs } = stage.run;
  const going = state.goesOn && step < steps;
  const validated = lines.epochs.findLast(({ validation }) => validation !== null);
  const mean = lines.epochs.at(-1);
  return html`<div class="tiles">
${tile('Done', share(state, onDevice), [`step ${count(step)} of ${count(steps)}`, `epoch ${epoch} of ${epochs}`])}
${tile('Time left', going ? formatSeconds(meter.secondsLeft(step, steps)) : NOTHING, [
  going && `${decimals(meter.imagesPerSecond, meter.imagesPerSecond < 10 ? 1 : 0)} images a second`,
  'at the pace so far, validations included',
])}
${tile('Training loss', decimals(loss ?? lines.steps.at(-1)?.loss, 4), [mean && `mean of epoch ${mean.epoch}: ${decimals(mean.loss, 4)}`])}
${validationTile('Validation mAP', 'mAP', validated, lines.epochs, `guess ${decimals(validated?.validation?.prevalenceGuess)}`)}
${validationTile('Validation AUROC', 'auroc', validated, lines.epochs, 'chance 0.5')}
${tile('Memory on the device', formatByteSize(peakBytes), [`${formatByteSize(bytes.arenas)} weights and state`, `${formatByteSize(bytes.intermediates + bytes.textures)} intermediates`])}
</div>`;
}

function validationTile(
  title: string,
  metric: string,
  latest: EpochLine | undefined,
  epochs: readonly EpochLine[],
  beside: string,
): Html {
  const best = epochs.findLast((line) => line.best);
  return tile(
    title,
    decimals(latest?.validation?.[metric]),
    latest === undefined
      ? ['after the first validation']
      : [
          `epoch ${latest.epoch}; ${beside}`,
          best && `best weights: epoch ${best.epoch}, ${decimals(best.validation?.[metric])}`,
        ],
  );
}

function tile(title: string, value: string, lines: readonly Content[]): Html {
  return html`<div class="tile"><h3>${title}</h3><p class="figure">${value}</p><p class="fine">${lines.map((line) => line && html`<span>${line}</span>`)}</p></div>`;
}

function about({ stage, parameters }: OnDevice): string {
  const { recipe, data } = stage;
  return (
    `${describeModel(recipe)}, ${count(parameters)} parameters; loss ${describeLoss(recipe)}; seed ${recipe.seed}; ` +
    `${counted(data.samples, 'image')} to train on, ${counted(data.classes.length, 'class', 'classes')}.`
  );
}
