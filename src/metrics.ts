/** scikit-learn's metrics, with unknown targets (NaN) masked: the public namespace `metrics`. */
export { bootstrapInterval, pairedBootstrapInterval } from './eval/metrics/bootstrap.js';
export { expectedCalibrationError, reliability } from './eval/metrics/calibration-error.js';
export { bestF1, f1 } from './eval/metrics/f1.js';
export { averagePrecision, precisionRecallCurve } from './eval/metrics/precision-recall.js';
export { rocAuc, rocCurve } from './eval/metrics/roc.js';
export { groupsByPrevalence, summarize } from './eval/metrics/summarize.js';
