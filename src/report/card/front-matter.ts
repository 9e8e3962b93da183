import { stringify } from 'yaml';
import { primaryScores } from '../run-scores.js';
import type { CardFacts } from './card-facts.js';

/**
 * The head of a model card that Hugging Face's hub reads: tags to find it by, and its results in a form that programs compare
 * (hub documentation, "Model Cards", "model-index").
 */
export function frontMatter(facts: CardFacts, license: string): string {
  const { about, simulated } = facts;
  const fields = {
    license,
    library_name: 'tailray',
    pipeline_tag: 'image-classification',
    tags: [
      'chest-x-ray',
      'radiology',
      'multi-label-classification',
      'long-tailed',
      about.model.arch,
      ...(simulated ? ['simulated-data'] : []),
    ],
    metrics: ['mean_average_precision', 'roc_auc'],
    ...results(facts),
  };
  return `---\n${stringify(fields, { lineWidth: 0 })}---`;
}

/** Measured results only: a model without results has no index. */
function results({ name, run }: CardFacts): object {
  const scores = run === null ? null : primaryScores(run);
  if (run === null || scores === null) return {};
  const metrics = [
    { type: 'mean_average_precision', name: 'Macro mAP', value: scores.mAP },
    { type: 'roc_auc', name: 'Macro AUROC', value: scores.auroc },
  ].filter(({ value }) => value !== null && Number.isFinite(value));
  if (metrics.length === 0) return {};
  const dataset = {
    name: run.simulated ? 'Phantoms (simulated chest radiographs)' : 'Chest radiographs',
    type: run.simulated ? 'simulated' : 'chest-x-ray',
    split: scores.part,
  };
  const task = { type: 'image-classification', name: 'Multi-label classification' };
  return { 'model-index': [{ name, results: [{ task, dataset, metrics }] }] };
}
