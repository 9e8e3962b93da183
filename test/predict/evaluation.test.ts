import { describe, expect, test } from 'vitest';
import { formatEvaluation } from '../../src/cli/text/evaluation-table.js';
import { formatLines, terminalOf } from '../../src/cli/text/terminal.js';
import type { DataPart } from '../../src/data/tables/data-source.js';
import { averagePrecision } from '../../src/eval/metrics/precision-recall.js';
import { type Evaluation, evaluatePredictions } from '../../src/predict/evaluation.js';
import { EvaluationError } from '../../src/predict/labelled-scores.js';

/** Images i0…, two of each patient; class a is known everywhere, b unknown for the first, c nowhere positive. */
function labelled(count: number): DataPart {
  const labels = Array.from({ length: count }, (_, i) => [
    i % 2,
    i === 0 ? Number.NaN : i % 3 === 0 ? 1 : 0,
    0,
  ]);
  return {
    table: {
      path: 'labels.csv',
      layout: 'plain',
      classes: ['a', 'b', 'c'],
      rows: labels.map((_, i) => ({ image: `i${i}`, patient: `p${i >> 1}`, line: i + 2, split: null })),
      labels: Float32Array.from(labels.flat()),
      patientIds: null,
      notes: [],
    },
    indices: Int32Array.from(labels.keys()),
  };
}

const score = (i: number) => ((i * 37) % 101) / 101;

function predicted(count: number, classes = ['a', 'b', 'c']) {
  const rows = Array.from({ length: count }, (_, i) => ({
    image: `i${i}`,
    probabilities: Float32Array.from(classes, (_, c) => score(i + 7 * c)),
    split: '',
    note: '',
  }));
  return { classes, rows };
}

/** As a pipe gets it. */
function shown(evaluation: Evaluation): string {
  const terminal = terminalOf({ isTTY: false, columns: 0 }, { LANG: 'C.UTF-8' });
  return formatLines(formatEvaluation(evaluation, terminal), terminal);
}

describe('an evaluation', () => {
  test('says how subgroups of the table do', () => {
    const part = labelled(120);
    const values = part.table.rows.map((_, i) => (i % 4 < 2 ? 'female' : i < 8 ? null : 'male'));
    const table = { ...part.table, subgroups: [{ name: 'sex', values }] };
    const indices = part.indices.slice(2);
    const evaluation = evaluatePredictions(predicted(120), [{ table, indices }], { resamples: 20 });
    const [sex] = evaluation.measured.subgroups;
    expect(sex?.subgroups.map(({ value, images }) => [value, images])).toEqual([
      ['female', 58],
      ['male', 56],
    ]);
    const text = shown(evaluation);
    expect(text).toMatch(
      /By sex: macro means, and gaps from "female" .*; not known of 4 images\.\nsex +images/,
    );
    expect(text).toMatch(/^male +56 +28 +0\.\d{3} \.\d{3}–/m);
  });

  test('tells why classes have no interval', () => {
    const text = shown(evaluatePredictions(predicted(2, ['a']), [labelled(2)], { resamples: 5 }));
    expect(text).toContain(
      'no interval: AP of a, macro, micro, weighted, macro head (1) (one patient alone has positives)',
    );
    expect(text).toMatch(/^class +group +known +positives +0 +1 +AP +AUROC +sens\. @ spec\. 0\.9 /m);
  });

  test('says why a mean has no interval', () => {
    const { classes, rows } = predicted(2, ['c', 'a']);
    const evaluation = evaluatePredictions({ classes, rows }, [labelled(2)], { resamples: 20 });
    expect(evaluation.measured.macro.ap.whyMissing).toBe('one patient alone has positives');
    expect(shown(evaluation)).toContain(
      `macro mAP    ${evaluation.macro.mAP.toFixed(4)} (no interval over patients: one patient alone has positives)`,
    );
  });

  test('joins by image and by class name, in whatever order they come', () => {
    const part = labelled(40);
    const { classes, rows } = predicted(40);
    const shuffled = {
      classes: ['c', 'a', 'b'],
      rows: rows.toReversed().map((row) => {
        const [a, b, c] = row.probabilities;
        return { ...row, probabilities: Float32Array.of(c ?? 0, a ?? 0, b ?? 0) };
      }),
    };
    const options = { resamples: 20 };
    const one = evaluatePredictions({ classes, rows }, [part], options);
    const other = evaluatePredictions(shuffled, [part], options);
    expect(other.macro).toEqual(one.macro);
    expect(other.perClass.map(({ name }) => name)).toEqual(['c', 'a', 'b']);
    expect(one.patients).toBe(20);
    const truth = rows.map((_, i) => i % 2);
    const scores = rows.map((row) => row.probabilities[0] ?? 0);
    expect(one.perClass[0]?.ap).toBeCloseTo(averagePrecision(scores, truth), 12);
    expect(one.perClass[1]?.known).toBe(39);
    expect(one.leftOut).toContainEqual(expect.objectContaining({ name: 'c', reason: 'no positive target' }));
  });

  test('images without scores are named and in no metric', () => {
    const { classes, rows } = predicted(40);
    const holes = rows.map((row, i) => (i === 5 ? { ...row, probabilities: null, note: 'empty' } : row));
    const evaluation = evaluatePredictions({ classes, rows: holes }, [labelled(40)], { resamples: 5 });
    expect(evaluation.unreadable).toEqual(['i5']);
    expect(evaluation.images).toBe(39);
    expect(shown(evaluation)).toMatch(/unreadable, in no metric: i5/);
  });

  test('a class without labels is left out; labels for none are an error', () => {
    const known = evaluatePredictions(predicted(20, ['a', 'new']), [labelled(20)], { resamples: 5 });
    expect(known.leftOut).toContainEqual(expect.objectContaining({ name: 'new', reason: 'no known target' }));
    expect(() => evaluatePredictions(predicted(20, ['x', 'y']), [labelled(20)])).toThrow(
      /labels\.csv has labels for none of the predicted classes \(x, y\)/,
    );
  });

  test('labelled images without predictions are an error with names and a way out', () => {
    const act = () => evaluatePredictions(predicted(18), [labelled(20)]);
    expect(act).toThrow(EvaluationError);
    expect(act).toThrow(/2 of 20 labelled images have no row of predictions \(i18, i19\).*--part/);
  });

  test('groups follow the prevalence in training where it is known', () => {
    const options = { resamples: 5, trainingPrevalence: [0.5, 0.05, null] };
    const trained = evaluatePredictions(predicted(20), [labelled(20)], options);
    expect(trained.perClass.map(({ group }) => group)).toEqual(['head', 'medium', 'tail']);
    expect(shown(trained)).toMatch(/groups by training prevalence/);
    const alone = evaluatePredictions(predicted(20), [labelled(20)], { resamples: 5 });
    expect(alone.perClass.map(({ group }) => group)).toEqual(['head', 'head', 'tail']);
  });
});
