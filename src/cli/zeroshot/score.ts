import type { Command } from 'commander';
import { predictionRows } from '../../predict/predict.js';
import { openPredictionSource } from '../../predict/prediction-source.js';
import { readPredictions, writePredictions } from '../../predict/predictions.js';
import { writeSubmission } from '../../predict/submission/submission.js';
import { counted } from '../../text/numbers.js';
import { ClipError } from '../../zeroshot/clip-error.js';
import { embedTexts } from '../../zeroshot/embed-texts.js';
import { readPrompts } from '../../zeroshot/prompts.js';
import type { RuleChoice } from '../../zeroshot/scoring/rule.js';
import { scoreZeroShot } from '../../zeroshot/scoring/score-zeroshot.js';
import { bindRules, describeRules } from '../../zeroshot/scoring/scoring-rules.js';
import {
  onlyClasses,
  requireSeenRows,
  type SeenPredictions,
  seenScores,
} from '../../zeroshot/scoring/seen-scores.js';
import { embedPrompts } from '../../zeroshot/scoring/text-embeddings.js';
import { ttaOption } from '../options/common-options.js';
import { nonNegativeNumber } from '../options/number-option.js';
import { nameList, promptsFor, promptsOption, ruleList, seenOption, unseenFor } from './prompt-options.js';
import {
  describeImages,
  embeddedNames,
  type ModelFlags,
  modelCommand,
  prepareOut,
  textCache,
  withModel,
  withRecipe,
} from './with-model.js';

interface ScoreFlags extends ModelFlags {
  readonly prompts?: string;
  readonly classes?: readonly string[];
  readonly rules: readonly RuleChoice[];
  readonly seen?: string;
  readonly normal?: string;
  readonly normalClass?: string;
  readonly alpha?: number;
  readonly out: string;
  readonly submission?: string;
}

export function addScore(program: Command): void {
  modelCommand(
    program,
    'score',
    'score images for findings by prompts: predictions, and the challenge’s Task 2 submission',
  )
    .argument('<data>', 'a CSV file that names images, or a folder of PNG and JPEG files')
    .addOption(promptsOption())
    .addOption(ttaOption('average embeddings'))
    .option(
      '--classes <names>',
      "findings to score, with commas between; default: those that the model's run declares unseen, else the challenge's",
      nameList,
    )
    .option(
      '--rules <list>',
      'how similarities become scores, e.g. "centred, {name: max}, sigmoid"; the last is sigmoid or softmax',
      ruleList,
      ruleList('mean, sigmoid'),
    )
    .addOption(seenOption().conflicts('normal'))
    .option('--normal <predictions.csv>', 'gate by its column Normal: adds normal-gating to the rules')
    .option('--normal-class <name>', 'the column that says that there is no finding (default: "Normal")')
    .option('--alpha <number>', 'strength of the gate: times (1 − p)^alpha (default: 0.5)', nonNegativeNumber)
    .option('--out <file>', 'where to write', 'predictions.csv')
    .option('--submission <file>', 'the same as a submission: a row for every image, no notes')
    .action(score);
}

/** Rules whose scores lie in 0 to 1. */
const PROBABILITIES: ReadonlySet<string> = new Set(['sigmoid', 'softmax', 'normal-gating']);

async function score(given: string, data: string, options: ScoreFlags, own: Command): Promise<void> {
  const { path, flags } = await withRecipe(given, options, own);
  const { out, submission } = flags;
  await prepareOut(out, flags);
  if (submission !== undefined) await prepareOut(submission, flags, '--submission');
  const rules = [...flags.rules, ...gateOf(flags)];
  const bound = bindRules(rules);
  if (!PROBABILITIES.has(bound.at(-1)?.rule.name ?? '')) {
    throw new ClipError(
      `--rules: the last must be ${[...PROBABILITIES].join(' or ')}, for scores in 0 to 1.`,
    );
  }
  const seen = await readSeen(flags);
  const reading = bound.find(({ rule }) => rule.needsSeen);
  if (reading && !seen) throw new ClipError(`--rules: ${reading.rule.name} needs --seen predictions.csv.`);
  // so that a mistake in them costs no time of the model
  if (flags.prompts !== undefined) await readPrompts(flags.prompts, { wanted: flags.classes ?? [] });
  await withModel(path, flags, async ({ model, embed }) => {
    const source = await openPredictionSource(data, { images: flags.images, classes: [] });
    if (seen) {
      requireSeenRows(
        seen,
        source.table.rows.map(({ image }) => image),
      );
    }
    const classes = flags.classes ?? unseenFor(model);
    const prompts = await promptsFor(model, flags.prompts, { wanted: classes });
    const texts = await embedPrompts(prompts, model.width, (given) => embedTexts(model, given, textCache()));
    const embedded = await embed(source);
    const { scores } = scoreZeroShot({
      images: embedded.embeddings,
      texts,
      classes,
      rules,
      seen: seen && seenScores(seen, embeddedNames(embedded)),
    });
    const rows = predictionRows(embedded, Float32Array.from(scores), classes.length);
    await writePredictions(out, { classes, rows });
    const said = [
      describeImages(embedded),
      `rules      ${describeRules(bound)}`,
      `${counted(rows.length, 'row')} for ${classes.join(', ')} in ${out}`,
    ];
    if (submission !== undefined) {
      said.push(`submission ${await writeSubmission(submission, { classes, rows })}`);
    }
    return said.join('\n');
  });
}

/** The rule that --normal asks for. @throws ClipError for its settings without it */
function gateOf({ rules, normal, normalClass, alpha }: ScoreFlags): RuleChoice[] {
  if (normal === undefined) {
    const alone = normalClass !== undefined ? '--normal-class' : alpha !== undefined ? '--alpha' : undefined;
    if (alone === undefined) return [];
    throw new ClipError(`${alone} belongs to --normal predictions.csv, which is not there.`);
  }
  if (rules.some((rule) => (typeof rule === 'string' ? rule : rule.name) === 'normal-gating')) {
    throw new ClipError(
      '--normal adds normal-gating, which --rules has too: leave it out there, or give --seen.',
    );
  }
  const gate = { name: 'normal-gating', normal: normalClass ?? NORMAL };
  return [alpha === undefined ? gate : { ...gate, alpha }];
}

async function readSeen({
  seen,
  normal,
  normalClass = NORMAL,
}: ScoreFlags): Promise<SeenPredictions | undefined> {
  const path = seen ?? normal;
  if (path === undefined) return undefined;
  const read = { predictions: await readPredictions(path), path };
  return normal === undefined ? read : onlyClasses(read, [normalClass]);
}

const NORMAL = 'Normal';
