/** scikit-learn's metrics, with unknown targets (NaN) masked: the public namespace `metrics`. */
export { bootstrapInterval, pairedBootstrapInterval } from './eval/metrics/bootstrap.js';
export { brierScore, expectedCalibrationError, reliability } from './eval/metrics/calibration-error.js';
export { compareScores } from './eval/metrics/compare-scores.js';
export { delongDifference, delongInterval } from './eval/metrics/delong.js';
export { bestF1, f1 } from './eval/metrics/f1.js';
export { measureScores } from './eval/metrics/measure-scores.js';
export { averagePrecision, precisionRecallCurve } from './eval/metrics/precision-recall.js';
export { rocAuc, rocCurve, sensitivityAt } from './eval/metrics/roc.js';
export { groupsByPrevalence, summarize } from './eval/metrics/summarize.js';
